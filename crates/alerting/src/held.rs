use crate::grade::Breadth;
use crate::packed::{Reader, Writer};
use crate::shelf::{Shelf, Texts, with};
use crate::slot::Case;
use std::sync::Arc;
use telemetry_models::{
    Alert, AlertId, AlertReason, AlertSource, AlertState, Comparison, Evidence, Handling, LastGood,
    ResolutionMethod, SelectorName, Severity, SeverityFactor, Signal, Timestamp,
};

/// An alert as its slot holds it, without what the slot, its rule and its selector tell.
///
/// A storm opens an alert for every selector at once, so each must be small: what changes with
/// every event lies open, texts are shared with alerts like it, and everything else is packed until
/// somebody asks.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) value: f64,
    pub(crate) updated_at: Timestamp,
    /// [`Timestamp::MIN`] for never.
    no_data_since: Timestamp,
    pub(crate) samples: u32,
    pub(crate) severity: Severity,
    pub(crate) reason: AlertReason,
    pub(crate) acknowledged: bool,
    texts: Arc<Texts>,
    packed: Box<[u8]>,
}

/// Where an alert is: what every alert of a slot has in common.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) rule: &'a crate::Rule,
    pub(crate) selector: &'a SelectorName,
    pub(crate) site: Option<&'a Arc<str>>,
}

impl<'a> Place<'a> {
    pub(crate) fn of(case: &Case<'a>) -> Self {
        Self { rule: &case.entry.rule, selector: case.selector, site: case.site }
    }

    fn fingerprint(self) -> String {
        fingerprint(&self.rule.id, self.selector.as_str(), self.site)
    }
}

impl Held {
    /// Packs an alert.
    pub(crate) fn of(alert: &Alert, place: Place<'_>, shelf: &mut Shelf) -> Self {
        // How much of the site is affected differs between alerts that are alike otherwise.
        let alike = &alert.factors[..alert.factors.len() - usize::from(breadth(alert).is_some())];
        let factors = json(&alike, alike.is_empty());
        let labels = json(&alert.labels, alert.labels.is_empty());
        let annotations = json(&alert.annotations, alert.annotations.is_empty());
        let texts = [
            Some(&*alert.summary),
            alert.likely_cause.as_deref(),
            alert.suggestion.as_deref(),
            alert.evidence.before.as_deref(),
            alert.evidence.now.as_deref(),
            alert.evidence.url.as_deref(),
            alert.page_template.as_deref(),
            factors.as_deref(),
            labels.as_deref(),
            annotations.as_deref(),
            alert.runbook.as_deref(),
        ];
        Self {
            value: alert.value,
            updated_at: alert.updated_at,
            no_data_since: alert.no_data_since.unwrap_or(Timestamp::MIN),
            samples: u32::try_from(alert.samples).unwrap_or(u32::MAX),
            severity: alert.severity,
            reason: alert.reason,
            acknowledged: alert.handling.acknowledged.is_some(),
            texts: shelf.put(place.selector.as_str(), texts),
            packed: pack(alert, place),
        }
    }

    /// The alert with everything.
    pub(crate) fn alert(&self, place: Place<'_>, state: AlertState) -> Alert {
        let selector = place.selector.as_str();
        let text = |at: usize| self.texts[at].as_deref().map(|text| with(selector, text));
        let mut reader = Reader::new(&self.packed);
        let activated = reader.fixed();
        let (signal, comparison) = (reader.word(Signal::ALL), reader.word(Comparison::ALL));
        let source = reader.word(AlertSource::ALL);
        let since = reader.time(activated);
        let [unusual, in_state, fired, resolved, broad, own, past, good] = reader.flags();
        let unusual = unusual.then(|| (reader.text(), reader.text()));
        let (id, fingerprint) = unusual.unwrap_or_else(|| {
            let fingerprint = place.fingerprint();
            (id(&fingerprint, activated), fingerprint)
        });
        let id = AlertId::new(id).expect("it was an id, or has hexadecimal digits");
        let mut time = |there: bool| there.then(|| reader.time(activated));
        let [state_since, fired_at, resolved_at] = [in_state, fired, resolved].map(&mut time);
        let mut factors: Vec<SeverityFactor> = unjson(text(7));
        factors.extend(broad.then(|| {
            let (open, watched) = (reader.number() as u32, reader.number() as u32);
            Breadth { open, watched }.factor(reader.number() as i8)
        }));
        Alert {
            fingerprint: fingerprint.into(),
            site: place.site.cloned(),
            severity: self.severity,
            state,
            state_since,
            fired_at,
            resolved_at,
            updated_at: self.updated_at,
            value: self.value,
            comparison,
            threshold: if own { reader.float() } else { place.rule.fire_at },
            baseline: past.then(|| reader.float()),
            samples: self.samples.into(),
            reopened: reader.number() as u32,
            last_good: good.then(|| LastGood {
                at: reader.time(activated),
                event: reader.event(),
                value: reader.option(Reader::float),
                count: reader.number(),
            }),
            evidence: Evidence {
                events: (0..reader.number()).map(|_| reader.event()).collect(),
                url: text(5).map(Into::into),
                before: text(3),
                now: text(4),
            },
            handling: handling(&mut reader, activated),
            summary: text(0).unwrap_or_default(),
            likely_cause: text(1),
            suggestion: text(2),
            labels: unjson(text(8)),
            source,
            reason: self.reason,
            no_data_since: self.no_data_since(),
            page_template: text(6).map(Into::into),
            factors,
            annotations: unjson(text(9)),
            runbook: text(10),
            ..Alert::new(id, &place.rule.id, place.selector.clone(), signal, since)
        }
    }

    /// Since when there is no data.
    pub(crate) fn no_data_since(&self) -> Option<Timestamp> {
        (self.no_data_since != Timestamp::MIN).then_some(self.no_data_since)
    }

    /// Notes that there is data, or since when there is none; whether that is news.
    pub(crate) fn set_no_data(&mut self, since: Option<Timestamp>) -> bool {
        let since = since.unwrap_or(Timestamp::MIN);
        std::mem::replace(&mut self.no_data_since, since) != since
    }

    /// Whether it may be the alert of this id: what is cheap to tell.
    pub(crate) fn may_be(&self, id: &AlertId) -> bool {
        Reader::new(&self.packed).fixed() == activated_of(id)
    }
}

/// How much of the site is affected, when the last factor says so.
fn breadth(alert: &Alert) -> Option<(Breadth, i8)> {
    let factor = alert.factors.last()?;
    Some((Breadth::of(factor)?, factor.points))
}

fn pack(alert: &Alert, place: Place<'_>) -> Box<[u8]> {
    let activated = activated_of(&alert.id);
    let mut writer = Writer::default();
    writer.fixed(activated);
    writer.word(Signal::ALL, alert.signal);
    writer.word(Comparison::ALL, alert.comparison);
    writer.word(AlertSource::ALL, alert.source);
    writer.time(activated, alert.since);
    let fingerprint = place.fingerprint();
    let usual =
        *alert.fingerprint == *fingerprint && alert.id.as_str() == id(&fingerprint, activated);
    let times = [alert.state_since, alert.fired_at, alert.resolved_at];
    let [in_state, fired, resolved] = times.map(|it| it.is_some());
    let (broad, good) = (breadth(alert), &alert.last_good);
    let own = alert.threshold.to_bits() != place.rule.fire_at.to_bits();
    let past = alert.baseline;
    writer.flags([
        !usual,
        in_state,
        fired,
        resolved,
        broad.is_some(),
        own,
        past.is_some(),
        good.is_some(),
    ]);
    if !usual {
        writer.text(alert.id.as_str());
        writer.text(&alert.fingerprint);
    }
    times.into_iter().flatten().for_each(|time| writer.time(activated, time));
    if let Some((breadth, points)) = broad {
        writer.number(breadth.open.into());
        writer.number(breadth.watched.into());
        writer.number(u64::from(points.cast_unsigned()));
    }
    own.then_some(alert.threshold).into_iter().chain(past).for_each(|it| writer.float(it));
    writer.number(alert.reopened.into());
    if let Some(good) = good {
        writer.time(activated, good.at);
        writer.event(&good.event);
        writer.option(good.value, Writer::float);
        writer.number(good.count);
    }
    writer.number(alert.evidence.events.len() as u64);
    alert.evidence.events.iter().for_each(|event| writer.event(event));
    let handling = &alert.handling;
    let untouched = Handling { resolution: None, ..handling.clone() } == Handling::default();
    let plain = handling.resolution.as_ref().filter(|it| it.by.is_none() && it.why.is_none());
    match plain {
        _ if *handling == Handling::default() => writer.number(0),
        Some(plain) if untouched => {
            writer.number(1);
            writer.word(ResolutionMethod::ALL, plain.method);
            writer.time(activated, plain.at);
        }
        _ => {
            writer.number(2);
            writer.text(&json(handling, false).unwrap_or_default());
        }
    }
    writer.into_bytes()
}

fn handling(reader: &mut Reader<'_>, activated: i64) -> Handling {
    match reader.number() {
        0 => Handling::default(),
        1 => {
            let (method, at) = (reader.word(ResolutionMethod::ALL), reader.time(activated));
            let (by, why) = (None, None);
            let resolution = Some(telemetry_models::Resolution { method, at, by, why });
            Handling { resolution, ..Handling::default() }
        }
        _ => unjson(Some(reader.text())),
    }
}

fn json(value: &impl serde::Serialize, nothing: bool) -> Option<String> {
    (!nothing).then(|| serde_json::to_string(value).unwrap_or_default())
}

fn unjson<T: serde::de::DeserializeOwned + Default>(text: Option<String>) -> T {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// The id of the occurrence of a fingerprint that began so many nanoseconds after 1970.
pub(crate) fn id(fingerprint: &str, activated: i64) -> String {
    format!("{fingerprint}-{activated:x}")
}

/// When the occurrence of an id began; 0 for an id of another form.
fn activated_of(id: &AlertId) -> i64 {
    let digits = id.as_str().rsplit_once('-').map_or("", |(_, digits)| digits);
    u64::from_str_radix(digits, 16).unwrap_or(0).cast_signed()
}

/// 64-bit FNV-1a over rule, selector and site, in hexadecimal: the same for every occurrence and
/// on every machine.
pub(crate) fn fingerprint(rule: &str, selector: &str, site: Option<&Arc<str>>) -> String {
    let parts = [rule, selector, site.map_or("", |site| site)];
    format!("{:016x}", crate::message::fnv(parts))
}

#[cfg(test)]
mod tests;

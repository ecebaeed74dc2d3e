use crate::member::Member;
use crate::roster::{Roster, Seat};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{Severity, Signal, Timestamp};

/// Sites, and pages of one URL template, on which many selectors fail together.
#[derive(Debug)]
pub(crate) struct Incidents {
    selectors: u32,
    within: Duration,
    places: HashMap<Place, Failing>,
}

/// A site, or its pages of one URL template.
type Place = (Arc<str>, Option<Arc<str>>);

#[derive(Debug, Default)]
struct Failing {
    open: BTreeSet<Seat>,
    incident: Option<Arc<str>>,
}

/// Whether an alert says that its selector cannot be used on the page at all.
fn is_failure(member: &Member) -> bool {
    matches!(
        member.alike.signal,
        Signal::SuccessRate
            | Signal::ErrorRate
            | Signal::ZeroMatchRate
            | Signal::TimeoutRate
            | Signal::EnvironmentFaultRate
    )
}

/// Where an alert may be part of an incident, the narrower place first.
fn places(member: &Member) -> impl Iterator<Item = Place> + '_ {
    let template = member.alike.template.as_ref().filter(|_| {
        // What cannot be loaded says nothing about a template.
        member.alike.signal != Signal::EnvironmentFaultRate
    });
    let narrow = template.map(|template| Some(Arc::clone(template)));
    let site = member.alike.site.iter();
    site.flat_map(move |site| {
        narrow.clone().into_iter().chain([None]).map(|template| (Arc::clone(site), template))
    })
}

impl Incidents {
    pub(crate) fn new(selectors: u32, within: Duration) -> Self {
        Self { selectors, within, places: HashMap::new() }
    }

    /// Takes an alert's change. Whether an incident began with it: alerts of the place that were
    /// not announced yet belong to it then.
    pub(crate) fn note(&mut self, seat: Seat, member: &Member, roster: &Roster) -> bool {
        if self.selectors == 0 || !is_failure(member) {
            return false;
        }
        let (mut begins, mut narrow): (bool, BTreeSet<Seat>) = (false, BTreeSet::new());
        for place in places(member) {
            // One incident says enough: what is part of one counts for no other.
            let named = begins || self.of(member).is_some();
            let at = self.places.entry(place.clone()).or_default();
            let known = at.incident.is_some();
            if !member.open || (named && !known) {
                at.open.remove(&seat);
            } else {
                at.open.insert(seat);
            }
            if !narrow.is_empty() {
                at.open.retain(|it| !narrow.contains(it));
            }
            if at.open.is_empty() {
                self.places.remove(&place);
            } else if member.open
                && !named
                && !known
                && at.is_many(member.fired_at, self.within, self.selectors as usize, roster)
            {
                at.incident = Some(name(&place, member).into());
                narrow.clone_from(&at.open);
                begins = true;
            }
        }
        begins
    }

    /// Forgets an alert as it was.
    pub(crate) fn forget(&mut self, seat: Seat, member: &Member) {
        for place in places(member) {
            if let Some(at) = self.places.get_mut(&place)
                && at.open.remove(&seat)
                && at.open.is_empty()
            {
                self.places.remove(&place);
            }
        }
    }

    /// The incident an alert belongs to.
    pub(crate) fn of(&self, member: &Member) -> Option<&Arc<str>> {
        if self.selectors == 0 || !is_failure(member) {
            return None;
        }
        places(member).find_map(|place| self.places.get(&place)?.incident.as_ref())
    }
}

impl Failing {
    /// Whether so many selectors failed near this moment.
    fn is_many(
        &self,
        moment: Timestamp,
        within: Duration,
        selectors: usize,
        roster: &Roster,
    ) -> bool {
        let near = |fired: Timestamp| fired.since(moment).max(moment.since(fired)) <= within;
        let open = self.open.iter().filter_map(|seat| roster.get(*seat));
        let near = open.filter(|it| near(it.fired_at));
        let names: BTreeSet<&str> = near.map(|it| it.selector.as_str()).collect();
        names.len() >= selectors
    }
}

fn name((site, template): &Place, member: &Member) -> String {
    let kind = match member.alike.signal {
        Signal::EnvironmentFaultRate if member.alike.blocked => "site blocked",
        Signal::EnvironmentFaultRate => "navigation failing",
        _ => "page redesigned",
    };
    let template = template.as_deref().map_or(String::new(), |template| match template {
        // A template with its site says the site once.
        whole if whole.contains("://") => format!(" {whole}"),
        path => path.to_owned(),
    });
    format!("{kind}: {site}{template} #{}", member.fired_at.as_millis())
}

/// The worst of some severities.
pub(crate) fn worst(severities: impl Iterator<Item = Severity>) -> Severity {
    severities.max().unwrap_or(Severity::Low)
}

//! This period beside another one.

use crate::builder::{Baseline, cut, rows};
use crate::change;
use crate::collect::{Collected, Row};
use crate::config::ReportingConfig;
use crate::rows::site_name;
use crate::text::{percent, rounded};
use std::collections::BTreeMap;
use telemetry_aggregation::{
    ClusterGroup, ClusteredSample, Compared, DurationCourse, MixGroup, Shift, Timeline,
    adaptive_discovery_rates, compare_quantile, compare_share, mix_effect,
};
use telemetry_interfaces::Query;
use telemetry_models::report::{
    ChangeState, Mix, Period, PeriodComparison, RowComparison, SignalComparison,
};
use telemetry_models::{SelectorName, Signal, Timestamp};

/// Most false discoveries among those called changed.
const DISCOVERY_RATE: f64 = 0.05;
/// Seed of every bootstrap: the same events give the same report.
const SEED: u64 = 0x5e1e_c701;

/// What is compared.
#[derive(Clone, Copy)]
enum Kind {
    Success,
    Fallback,
    Duration(f64),
}

const KINDS: [Kind; 4] = [Kind::Success, Kind::Fallback, Kind::Duration(0.5), Kind::Duration(0.95)];

impl Kind {
    fn signal(self) -> (Signal, Option<f64>) {
        match self {
            Self::Success => (Signal::SuccessRate, None),
            Self::Fallback => (Signal::FallbackRate, None),
            Self::Duration(q) => (Signal::DurationMs, Some(q)),
        }
    }

    fn compare(self, before: &ClusteredSample, after: &ClusteredSample) -> Option<Compared> {
        let success = |it: &ClusterGroup| (it.successes, it.verdicts);
        let fallback = |it: &ClusterGroup| (it.fallbacks, it.depths);
        match self {
            Self::Success => compare_share(before, after, SEED, success),
            Self::Fallback => compare_share(before, after, SEED, fallback),
            Self::Duration(q) => compare_quantile(before, after, q, SEED),
        }
    }

    fn least(self, config: &ReportingConfig) -> f64 {
        match self {
            Self::Success | Self::Fallback => config.compare_share,
            Self::Duration(_) => config.compare_ratio,
        }
    }

    fn is_worse(self, effect: f64) -> bool {
        match self {
            Self::Success => effect < 0.0,
            Self::Fallback | Self::Duration(_) => effect > 0.0,
        }
    }
}

/// The middle of a period that has two ends.
pub(crate) fn middle(query: &Query) -> Option<Timestamp> {
    let (from, to) = (query.from?, query.to?);
    Some(from.saturating_add(to.since(from) / 2))
}

/// How changes are told from chance, in words.
pub(crate) fn rule(config: &ReportingConfig) -> String {
    format!(
        "Changed between periods: the 95 % interval (bootstrap over clusters: one run on one page \
         within an hour) leaves out no change, the effect exceeds {} for durations or {} points \
         for shares and what the other period's halves differ by, and at most {} of all changes \
         called are expected to be false (Benjamini–Hochberg, with the share of rows without a \
         change as Storey estimates it, over all rows and signals together). A change of durations \
         began within the time told with a probability of 95 %. All of this is from events: rollups \
         do not keep which operations belong to one run and page.",
        percent(config.compare_ratio),
        rounded(config.compare_share * 100.0, 1),
        percent(DISCOVERY_RATE),
    )
}

/// One pair of rows; either may be absent.
struct Pair<'a> {
    selector: &'a SelectorName,
    site: &'a str,
    before: Option<&'a Row>,
    after: Option<&'a Row>,
}

pub(crate) fn periods(
    config: &ReportingConfig,
    baseline: &Baseline,
    other: &Collected,
    current: &Collected,
) -> PeriodComparison {
    let mut pairs: BTreeMap<(&SelectorName, &str), Pair<'_>> = BTreeMap::new();
    let empty = |selector, site| Pair { selector, site, before: None, after: None };
    for (selector, site, row) in rows(other) {
        pairs.entry((selector, site)).or_insert_with(|| empty(selector, site)).before = Some(row);
    }
    for (selector, site, row) in rows(current) {
        pairs.entry((selector, site)).or_insert_with(|| empty(selector, site)).after = Some(row);
    }
    let pairs: Vec<Pair<'_>> = pairs.into_values().collect();
    let mut signals: Vec<Vec<SignalComparison>> = vec![Vec::new(); pairs.len()];
    let mut found: Vec<(usize, Kind, Compared, f64)> = Vec::new();
    for kind in KINDS {
        found.extend(pairs.iter().enumerate().filter_map(|(at, pair)| {
            let (compared, floor) = compare(config, kind, pair)?;
            Some((at, kind, compared, floor))
        }));
    }
    // All kinds together: a fleet is called changed as rarely as one kind of it would be.
    let probabilities: Vec<f64> = found.iter().map(|(_, _, it, _)| it.probability).collect();
    let rates = adaptive_discovery_rates(&probabilities);
    for ((at, kind, it, floor), q_value) in found.iter().zip(rates) {
        signals[*at].push(signal(*kind, it, *floor, q_value));
    }
    let mut rows: Vec<RowComparison> =
        pairs.iter().zip(signals).map(|(pair, signals)| row(pair, signals)).collect();
    let count = |state: ChangeState| rows.iter().filter(|it| it.state == state).count() as u64;
    let (worse, better) = (count(ChangeState::Worse), count(ChangeState::Better));
    let (unchanged, too_few) = (count(ChangeState::Unchanged), count(ChangeState::TooFew));
    rows.sort_by(|a, b| {
        let size = |it: &RowComparison| {
            let sizes = it.signals.iter().filter(|it| it.changed).map(|it| it.effect.abs());
            sizes.fold(0.0, f64::max)
        };
        (a.state.cmp(&b.state))
            .then(size(b).total_cmp(&size(a)))
            .then_with(|| (&a.selector, &a.site).cmp(&(&b.selector, &b.site)))
    });
    let bounds = |pick: fn(&Row) -> Option<Timestamp>| {
        pairs.iter().filter_map(move |pair| pair.before.and_then(pick))
    };
    let period = Period {
        from: baseline.query.from,
        to: baseline.query.to,
        first: bounds(|row| row.summary.first).min(),
        last: bounds(|row| row.summary.last).max(),
    };
    let (rows, rows_omitted) = cut(rows, config.max_selectors);
    PeriodComparison {
        against: baseline.words.clone(),
        period,
        operations: other.quality.events,
        compared: worse + better + unchanged,
        worse,
        better,
        too_few,
        rows,
        rows_omitted,
        success_mix: mix(config, &pairs),
    }
}

fn whole(row: &Row) -> Option<ClusteredSample> {
    let [early, late] = row.halves.as_deref()?;
    let mut whole = early.clone();
    whole.merge(late);
    Some(whole)
}

/// The comparison, and the size that an effect must exceed.
fn compare(config: &ReportingConfig, kind: Kind, pair: &Pair<'_>) -> Option<(Compared, f64)> {
    let (before, after) = (pair.before?, pair.after?);
    let compared = kind.compare(&whole(before)?, &whole(after)?)?;
    let [early, late] = before.halves.as_deref()?;
    let noise = kind.compare(early, late).map_or(0.0, |it| it.effect.abs());
    Some((compared, noise.max(kind.least(config))))
}

fn signal(kind: Kind, it: &Compared, floor: f64, q_value: f64) -> SignalComparison {
    let (signal, quantile) = kind.signal();
    let decimals = if quantile.is_some() { 3 } else { 6 };
    let none_left_out = it.low > 0.0 || it.high < 0.0;
    SignalComparison {
        signal,
        quantile,
        before: rounded(it.before, decimals),
        before_n: it.before_n,
        after: rounded(it.after, decimals),
        after_n: it.after_n,
        effect: rounded(it.effect, 6),
        low: rounded(it.low, 6),
        high: rounded(it.high, 6),
        floor: rounded(floor, 6),
        q_value: rounded(q_value, 6),
        changed: none_left_out && it.effect.abs() > floor && q_value <= DISCOVERY_RATE,
        worse: kind.is_worse(it.effect),
    }
}

fn row(pair: &Pair<'_>, signals: Vec<SignalComparison>) -> RowComparison {
    let changed = || signals.iter().filter(|it| it.changed);
    let state = match (pair.before, pair.after) {
        (None, _) => ChangeState::Appeared,
        (_, None) => ChangeState::Gone,
        _ if changed().any(|it| it.worse) => ChangeState::Worse,
        _ if changed().next().is_some() => ChangeState::Better,
        _ if signals.is_empty() => ChangeState::TooFew,
        _ => ChangeState::Unchanged,
    };
    // Where the median moved with the tail, the whole distribution did.
    let whole = changed().any(|it| it.quantile == Some(0.5));
    let dated = changed().next().and_then(|it| date(pair, it.signal, whole));
    RowComparison {
        selector: pair.selector.clone(),
        site: site_name(pair.site),
        state,
        since: dated.map(|(since, _)| since),
        since_within_s: dated.map(|(_, step)| step),
        signals,
    }
}

/// When a change began, on the time of both periods together, and how many seconds it may be off.
fn date(pair: &Pair<'_>, signal: Signal, whole: bool) -> Option<(Timestamp, u64)> {
    let (before, after) = (pair.before?, pair.after?);
    if signal == Signal::DurationMs {
        let mut course: DurationCourse = before.durations.clone();
        course.merge(&after.durations);
        let onset = course.onset(if whole { Shift::Whole } else { Shift::Shape })?;
        return Some((onset.at, onset.within.as_secs()));
    }
    let mut timeline: Timeline = before.summary.timeline.clone();
    timeline.merge(&after.summary.timeline);
    let steps: Vec<_> = timeline.buckets().collect();
    let share = |rises: bool, of: fn(&telemetry_aggregation::Bucket) -> (u64, u64)| {
        change::of_share(&steps, 5, rises, of).map(|it| it.since)
    };
    let since = if signal == Signal::SuccessRate {
        let of = |bucket: &telemetry_aggregation::Bucket| (bucket.successes, bucket.verdicts);
        share(false, of).or_else(|| share(true, of))
    } else {
        let of = |bucket: &telemetry_aggregation::Bucket| (bucket.fallbacks, bucket.depths);
        share(true, of).or_else(|| share(false, of))
    };
    Some((since?, timeline.width().as_secs()))
}

fn mix(config: &ReportingConfig, pairs: &[Pair<'_>]) -> Option<Mix> {
    let side = |row: Option<&Row>| {
        row.map_or((0, 0), |row| (row.summary.successes(), row.summary.verdicts()))
    };
    let effect = mix_effect(pairs.iter().map(|pair| {
        let (before, after) = (side(pair.before), side(pair.after));
        MixGroup {
            before: before.0 as f64,
            before_n: before.1,
            after: after.0 as f64,
            after_n: after.1,
        }
    }))?;
    Some(Mix {
        total: rounded(effect.total, 6),
        within: rounded(effect.within, 6),
        mix: rounded(effect.mix, 6),
        misleading: effect.misleads(config.compare_share),
    })
}

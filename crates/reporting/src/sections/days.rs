use crate::rows::ms;
use telemetry_aggregation::{Calendar, CoarseHistogram, Day, SelectorSummary};
use telemetry_models::report::{Days, Distribution};

/// Bins of a drawing for each doubling of the duration.
const BINS_PER_OCTAVE: f64 = 2.0;

/// Most days of a report's calendars: what the map of sites shows.
const MAX_DAYS: i64 = 62;

/// The days of a calendar on the axis of another one that covers it; the latest, if there are many.
pub(crate) fn days(calendar: &Calendar, axis: &Calendar) -> Days {
    let Some((first, last)) = axis.bounds() else { return Days::default() };
    let first = first.max(last - MAX_DAYS + 1);
    let of = |pick: fn(&Day) -> u64| -> Vec<u64> {
        (first..=last).map(|day| calendar.get(day).map_or(0, pick)).collect()
    };
    Days {
        start: Some(Calendar::start_of(first)),
        operations: of(|day| day.operations),
        verdicts: of(|day| day.verdicts),
        successes: of(|day| day.successes),
    }
}

/// The durations of a selector in two parts: before and since a step of its timeline, or its two
/// halves.
pub(crate) fn distribution(
    summary: &SelectorSummary,
    since: Option<telemetry_models::Timestamp>,
) -> Option<Distribution> {
    let steps: Vec<_> = summary.timeline.buckets().collect();
    let (first, last) = (steps.first()?.0, steps.last()?.0);
    let middle = first.saturating_add(last.since(first) / 2);
    let cut = since.unwrap_or(middle);
    let (mut before, mut after) = (CoarseHistogram::default(), CoarseHistogram::default());
    for (at, step) in &steps {
        let part = if *at < cut { &mut before } else { &mut after };
        part.merge(&step.durations);
    }
    let index = |ms: f64| (ms.max(1e-6).log2() * BINS_PER_OCTAVE).floor() as i64;
    let counts = |of: &CoarseHistogram| -> Vec<(i64, u64)> {
        of.bins()
            .iter()
            .map(|(bin, n)| (index(ms(CoarseHistogram::middle_of(*bin))), u64::from(*n)))
            .collect()
    };
    let (before, after) = (counts(&before), counts(&after));
    let all = || before.iter().chain(&after).map(|(at, _)| *at);
    let (low, high) = (all().min()?, all().max()?);
    let filled = |counts: &[(i64, u64)]| {
        let mut bins = vec![0; usize::try_from(high - low + 1).unwrap_or(1)];
        for (at, n) in counts {
            bins[usize::try_from(at - low).unwrap_or(0)] += n;
        }
        bins
    };
    Some(Distribution {
        from_ms: crate::text::rounded((low as f64 / BINS_PER_OCTAVE).exp2(), 6),
        before: filled(&before),
        after: filled(&after),
        parted: match since {
            Some(at) => format!("the change at {}", crate::text::time(at)),
            None => format!("the middle of the period, {}", crate::text::time(middle)),
        },
    })
}

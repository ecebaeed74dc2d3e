//! From summaries to the rows of a report.

use crate::collect::Row;
use crate::sections::days::distribution;
use crate::text::rounded;
use std::time::Duration;
use telemetry_aggregation::{
    BoundedMap, DurationSketch, ErrorSummary, Merge, SelectorSummary, StrategyKey, StrategySummary,
    Timeline, Z_95, wilson,
};
use telemetry_models::report::{
    Confidences, Count, ErrorGroup, Health, OutcomeCount, Quantiles, Rate, SelectorRow, Series,
    StrategyRow, StrategyText, TryCount,
};
use telemetry_models::{SelectorName, Timestamp};

/// Error groups listed for a selector.
const ERROR_GROUPS: usize = 8;

pub(crate) fn rate(count: u64, n: u64) -> Option<Rate> {
    let interval = wilson(count, n, Z_95)?;
    Some(Rate {
        share: rounded(count as f64 / n as f64, 6),
        low: rounded(interval.low, 6),
        high: rounded(interval.high, 6),
        count,
        n,
    })
}

pub(crate) fn ms(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1e3, 3)
}

pub(crate) fn quantiles(sketch: &DurationSketch) -> Option<Quantiles> {
    Some(Quantiles {
        n: sketch.n(),
        p50_ms: ms(sketch.quantile(0.5)?),
        p95_ms: ms(sketch.quantile(0.95)?),
        p99_ms: ms(sketch.quantile(0.99)?),
        max_ms: ms(sketch.max()?),
    })
}

/// A timeline on the axis all series of the report share.
pub(crate) fn series(timeline: &Timeline, axis: &Timeline) -> Series {
    let steps = timeline.on_axis_of(axis);
    Series {
        start: axis.start(),
        step_s: axis.width().as_secs(),
        verdicts: steps.iter().map(|step| step.verdicts).collect(),
        faults: steps.iter().map(|step| step.faults()).collect(),
        p50_ms: steps.iter().map(|step| step.durations.median().map(ms)).collect(),
        fallback_share: steps
            .iter()
            .map(|step| {
                (step.depths > 0).then(|| rounded(step.fallbacks as f64 / step.depths as f64, 3))
            })
            .collect(),
        confidence: steps
            .iter()
            .map(|step| step.confidence.mean().map(|mean| rounded(mean, 3)))
            .collect(),
    }
}

/// The names counted most, the rest together as one without a name.
pub(crate) fn most_counted<'a>(
    counts: impl Iterator<Item = (&'a str, u64)>,
    other: u64,
    most: usize,
) -> Vec<Count> {
    let mut counts: Vec<(&str, u64)> = counts.collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let rest = counts.iter().skip(most).map(|(_, count)| count).sum::<u64>() + other;
    let mut listed: Vec<Count> = counts
        .into_iter()
        .take(most)
        .map(|(name, count)| Count { name: Some(name.to_owned()), count })
        .collect();
    if rest > 0 {
        listed.push(Count { name: None, count: rest });
    }
    listed
}

pub(crate) fn most_of<const N: usize>(
    counts: &BoundedMap<std::sync::Arc<str>, u64, N>,
    most: usize,
) -> Vec<Count> {
    let listed = counts.iter().map(|(name, count)| (name.as_ref(), *count));
    most_counted(listed, counts.other().copied().unwrap_or(0), most)
}

/// The row of one selector on one site.
pub(crate) fn selector_row(
    selector: &SelectorName,
    site: &str,
    row: &Row,
    health: Health,
    axis: &Timeline,
    since: Option<Timestamp>,
) -> SelectorRow {
    let summary = &row.summary;
    let last_success = summary.last_success.clone();
    SelectorRow {
        selector: selector.clone(),
        site: site_name(site),
        health,
        operations: summary.operations(),
        outcomes: summary
            .outcomes
            .iter()
            .map(|(outcome, count)| OutcomeCount { outcome: *outcome, count: *count })
            .collect(),
        success_rate: rate(summary.successes(), summary.verdicts()),
        fallback_rate: rate(summary.fallbacks(), summary.depths_known()),
        fallback_depths: summary.fallback_depths.to_vec(),
        confidence: confidences(summary),
        durations: quantiles(&summary.durations),
        flakiness: rate(row.flips.returns(), row.flips.pairs()),
        winning_strategy: summary.winning_strategy().map(strategy_text),
        strategies: strategies(summary),
        errors: errors(summary),
        urls: summary.urls.count(),
        last_success: last_success.as_ref().map(|(at, _)| *at),
        last_success_event: last_success.map(|(_, event)| event),
        recent_faults: row.course.recent_faults.iter().cloned().collect(),
        series: series(&summary.timeline, axis),
        distribution: distribution(summary, since),
    }
}

pub(crate) fn site_name(site: &str) -> Option<String> {
    (!site.is_empty()).then(|| site.to_owned())
}

pub(crate) fn strategy_text((kind, text): &StrategyKey) -> StrategyText {
    StrategyText { kind: kind.as_str().to_owned(), text: text.as_deref().map(str::to_owned) }
}

fn confidences(summary: &SelectorSummary) -> Option<Confidences> {
    let confidence = &summary.confidence;
    Some(Confidences {
        n: confidence.moments.n,
        mean: rounded(confidence.moments.mean()?, 6),
        min: confidence.min?.get(),
        tenths: confidence.tenths.to_vec(),
    })
}

fn strategies(summary: &SelectorSummary) -> Vec<StrategyRow> {
    let mut listed: Vec<_> = summary.strategies.iter().collect();
    listed.sort_by(|(a_key, a), (b_key, b)| b.tried.cmp(&a.tried).then_with(|| a_key.cmp(b_key)));
    let row = |strategy: Option<&StrategyKey>, it: &StrategySummary| StrategyRow {
        strategy: strategy.map(strategy_text),
        tried: it.tried,
        accepted: it.accepted,
        empty: it.empty,
        failed: it
            .failed
            .iter()
            .map(|(outcome, count)| TryCount { outcome: *outcome, count: *count })
            .collect(),
        shadow: it.shadow,
        median_ms: it.durations.quantile(0.5).map(ms),
        timed: it.durations.n(),
    };
    let mut rows: Vec<_> = listed.into_iter().map(|(key, it)| row(Some(key), it)).collect();
    rows.extend(summary.strategies.other().map(|it| row(None, it)));
    rows
}

fn errors(summary: &SelectorSummary) -> Vec<ErrorGroup> {
    let mut listed: Vec<_> = summary.errors.iter().collect();
    listed.sort_by(|(a_key, a), (b_key, b)| b.count.cmp(&a.count).then_with(|| a_key.cmp(b_key)));
    let mut rest = summary.errors.other().cloned().unwrap_or_default();
    for (_, group) in listed.iter().skip(ERROR_GROUPS) {
        rest.merge(group);
    }
    let row = |kind: Option<&str>, message: Option<&str>, group: &ErrorSummary| ErrorGroup {
        kind: kind.map(str::to_owned),
        message: message.map(str::to_owned),
        count: group.count,
        last: group.last.as_ref().map(|(at, _)| *at),
        last_event: group.last.as_ref().map(|(_, event)| event.clone()),
    };
    let mut rows: Vec<_> = listed
        .into_iter()
        .take(ERROR_GROUPS)
        .map(|((kind, message), group)| row(Some(kind), message.as_deref(), group))
        .collect();
    if rest.count > 0 {
        rows.push(row(None, None, &rest));
    }
    rows
}

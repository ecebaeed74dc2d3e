//! Events to rollups, rollups to coarser ones and to summaries.

use crate::bounded::Merge;
use crate::summary::{add_depths, earliest};
use crate::{
    Bucket, ConfidenceSummary, ElementsSummary, ErrorSummary, EventFacts, Moments, SelectorSummary,
    StrategySummary,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_models::rollup::{
    ConfidenceFigures, ElementsFigures, ErrorFigures, Rollup, RollupFigures, RollupPeriod,
    StrategyFigures,
};
use telemetry_models::{AttemptOutcome, Event, SelectorName, Timestamp};

/// By site and start.
type Sites = BTreeMap<Option<Arc<str>>, BTreeMap<Timestamp, SelectorSummary>>;

/// Collects the rollups of one kind of period.
///
/// Takes events and rollups of shorter periods, in any order; both ways to the same facts give
/// equal rollups. Every event counts: whoever must not count one twice keeps it away.
#[derive(Clone, Debug)]
pub struct RollupBuilder {
    period: RollupPeriod,
    rows: BTreeMap<SelectorName, Sites>,
}

impl RollupBuilder {
    /// Holds nothing yet.
    pub fn new(period: RollupPeriod) -> Self {
        Self { period, rows: BTreeMap::new() }
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        let start = self.period.start_of(event.timestamp);
        let facts = EventFacts::off_timeline(event);
        self.row(&event.selector, event.site(), start).add_off_timeline(event, &facts);
    }

    /// Adds a rollup of the same or a shorter period. One of a longer period is counted where it
    /// began.
    pub fn add_rollup(&mut self, rollup: &Rollup) {
        let start = self.period.start_of(rollup.start);
        self.row(&rollup.selector, rollup.site.as_deref(), start).merge_figures(&rollup.figures);
    }

    /// The rollups, by selector, site and start; nothing is left.
    pub fn finish(&mut self) -> Vec<Rollup> {
        let mut rollups = Vec::new();
        for (selector, sites) in std::mem::take(&mut self.rows) {
            for (site, starts) in sites {
                for (start, summary) in starts {
                    rollups.push(Rollup {
                        period: self.period,
                        start,
                        selector: selector.clone(),
                        site: site.clone(),
                        figures: summary.figures(),
                    });
                }
            }
        }
        rollups
    }

    fn row(
        &mut self,
        selector: &SelectorName,
        site: Option<&str>,
        start: Timestamp,
    ) -> &mut SelectorSummary {
        if !self.rows.contains_key(selector) {
            self.rows.insert(selector.clone(), BTreeMap::new());
        }
        let sites = self.rows.get_mut(selector).expect("inserted above");
        let site = match sites.keys().find(|it| it.as_deref() == site) {
            Some(known) => known.clone(),
            None => site.map(Arc::from),
        };
        sites.entry(site).or_default().entry(start).or_default()
    }
}

/// The rollups of a longer period.
pub fn coarsened<'a>(
    rollups: impl IntoIterator<Item = &'a Rollup>,
    period: RollupPeriod,
) -> Vec<Rollup> {
    let mut builder = RollupBuilder::new(period);
    for rollup in rollups {
        builder.add_rollup(rollup);
    }
    builder.finish()
}

/// One summary of several rollups.
pub fn merged<'a>(rollups: impl IntoIterator<Item = &'a Rollup>) -> SelectorSummary {
    let mut summary = SelectorSummary::new();
    for rollup in rollups {
        summary.merge_rollup(rollup);
    }
    summary
}

impl SelectorSummary {
    /// Adds a rollup. On the timeline all of it lies at the beginning of the rollup's period;
    /// everything else is what the rollup's events would have made of it.
    pub fn merge_rollup(&mut self, rollup: &Rollup) {
        self.merge_figures(&rollup.figures);
        self.timeline.add_bucket(rollup.start, &bucket_of(&rollup.figures));
    }

    /// Adds a rollup's figures to everything but the timeline.
    pub fn merge_figures(&mut self, figures: &RollupFigures) {
        for (outcome, count) in &figures.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
        add_depths(&mut self.fallback_depths, &figures.fallback_depths);
        self.confidence.merge(&confidence_of(&figures.confidence));
        self.elements.merge(&elements_of(figures.elements));
        self.durations.merge_bins(&figures.durations);
        for strategy in &figures.strategies {
            let Some(kind) = &strategy.kind else { continue };
            let key = (kind.clone(), strategy.text.clone());
            self.strategies.update(&key, |own| own.merge_figures(strategy));
        }
        if let Some(other) = &figures.other_strategies {
            let mut summary = StrategySummary::default();
            summary.merge_figures(other);
            self.strategies.merge_other(&summary);
        }
        self.urls.merge_hashes(&figures.urls);
        self.url_templates.merge_hashes(&figures.url_templates);
        for error in &figures.errors {
            let key = (Arc::clone(&error.kind), error.message.clone());
            self.errors.update(&key, |own| own.merge(&error_of(error)));
        }
        if let Some(other) = &figures.other_errors {
            self.errors.merge_other(&error_of(other));
        }
        self.first = earliest(self.first, figures.first);
        self.last = self.last.max(figures.last);
        if figures.last_success > self.last_success {
            self.last_success.clone_from(&figures.last_success);
        }
    }

    /// Everything but the timeline, as plain numbers.
    pub fn figures(&self) -> RollupFigures {
        let mut strategies: Vec<_> = self
            .strategies
            .iter()
            .map(|((kind, text), strategy)| StrategyFigures {
                kind: Some(kind.clone()),
                text: text.clone(),
                ..strategy.figures()
            })
            .collect();
        strategies.sort_by(|a, b| (&a.kind, &a.text).cmp(&(&b.kind, &b.text)));
        let error = |(kind, message): (Arc<str>, Option<Arc<str>>), it: &ErrorSummary| {
            ErrorFigures { kind, message, count: it.count, last: it.last.clone() }
        };
        let mut errors: Vec<_> =
            self.errors.iter().map(|(key, it)| error(key.clone(), it)).collect();
        errors.sort_by(|a, b| (&a.kind, &a.message).cmp(&(&b.kind, &b.message)));
        RollupFigures {
            outcomes: self.outcomes.iter().map(|(it, count)| (*it, *count)).collect(),
            fallback_depths: self.fallback_depths,
            confidence: confidence_figures(&self.confidence),
            elements: elements_figures(self.elements),
            durations: self.durations.to_bins(),
            strategies,
            other_strategies: self.strategies.other().map(|it| Box::new(it.figures())),
            urls: self.urls.to_hashes(),
            url_templates: self.url_templates.to_hashes(),
            errors,
            other_errors: self.errors.other().map(|it| Box::new(error(("".into(), None), it))),
            first: self.first,
            last: self.last,
            last_success: self.last_success.clone(),
        }
    }
}

impl StrategySummary {
    fn merge_figures(&mut self, figures: &StrategyFigures) {
        for (outcome, count) in &figures.outcomes {
            self.tried += count;
            match outcome {
                AttemptOutcome::Accepted => self.accepted += count,
                AttemptOutcome::Empty => self.empty += count,
                other => *self.failed.entry(*other).or_default() += count,
            }
        }
        self.shadow += figures.shadow;
        add_depths(&mut self.fallback_depths, &figures.fallback_depths);
        self.confidence.merge(&confidence_of(&figures.confidence));
        self.elements.merge(&elements_of(figures.elements));
        self.durations.merge_bins(&figures.durations);
    }

    fn figures(&self) -> StrategyFigures {
        let counted =
            [(AttemptOutcome::Accepted, self.accepted), (AttemptOutcome::Empty, self.empty)];
        let mut outcomes: Vec<_> = counted.into_iter().filter(|(_, count)| *count > 0).collect();
        outcomes.extend(self.failed.iter().map(|(it, count)| (*it, *count)));
        outcomes.sort_unstable();
        StrategyFigures {
            kind: None,
            text: None,
            outcomes,
            shadow: self.shadow,
            fallback_depths: self.fallback_depths,
            confidence: confidence_figures(&self.confidence),
            elements: elements_figures(self.elements),
            durations: self.durations.to_bins(),
        }
    }
}

/// A rollup's figures as one step of a timeline.
pub fn bucket_of(figures: &RollupFigures) -> Bucket {
    let verdict = |(outcome, count): &(telemetry_models::Outcome, u64)| {
        if outcome.is_verdict() { *count } else { 0 }
    };
    let mut bucket = Bucket {
        operations: figures.operations(),
        verdicts: figures.outcomes.iter().map(verdict).sum(),
        successes: figures.successes(),
        depths: figures.fallback_depths.iter().sum(),
        fallbacks: figures.fallback_depths[1..].iter().sum(),
        confidence: confidence_of(&figures.confidence).moments,
        ..Bucket::default()
    };
    for (duration, count) in crate::sketch::middles(&figures.durations) {
        bucket.durations.add_times(duration, count);
    }
    bucket
}

fn error_of(figures: &ErrorFigures) -> ErrorSummary {
    ErrorSummary { count: figures.count, last: figures.last.clone() }
}

fn confidence_of(figures: &ConfidenceFigures) -> ConfidenceSummary {
    ConfidenceSummary {
        moments: Moments::from_parts(figures.n, figures.sum, figures.squares),
        min: figures.min,
        tenths: figures.tenths,
    }
}

fn confidence_figures(summary: &ConfidenceSummary) -> ConfidenceFigures {
    let (n, sum, squares) = summary.moments.to_parts();
    ConfidenceFigures { n, sum, squares, min: summary.min, tenths: summary.tenths }
}

fn elements_of(figures: ElementsFigures) -> ElementsSummary {
    let ElementsFigures { n, sum, min, max } = figures;
    ElementsSummary { n, sum, min, max }
}

fn elements_figures(summary: ElementsSummary) -> ElementsFigures {
    let ElementsSummary { n, sum, min, max } = summary;
    ElementsFigures { n, sum, min, max }
}

use crate::alerts;
use crate::collect::{Collected, Row};
use crate::compare;
use crate::config::ReportingConfig;
use crate::findings;
use crate::from_rollups::{self, Source};
use crate::quality::data_quality;
use crate::recommend;
use crate::rows::{quantiles, rate, selector_row, series, site_name};
use crate::sections::{self, days::days, usage::usage};
use crate::text::{millis, percent};
use crate::threads;
use crate::verdict::verdict;
use std::collections::{BTreeMap, BTreeSet};
use telemetry_aggregation::{Calendar, DurationSketch, SelectorSummary, Timeline};
use telemetry_interfaces::{EventStore, Ledger, Order, Query, Result};
use telemetry_models::report::{
    Finding, Health, Methods, Period, Report, ReportAlerts, ReportKind, SelectorRow, SiteRow,
    Totals,
};
use telemetry_models::{Alert, AlertState, OutcomeClass, SelectorName, Timestamp};

/// Events between two calls of the progress function.
const PROGRESS_EVERY: u64 = 4_096;

/// What a report is to cover.
#[derive(Clone, Debug, Default)]
pub struct ReportRequest<'a> {
    /// Which events. Order and limit are ignored: a report covers all of them, oldest first.
    pub query: Query,
    /// Alerts of any state; those that concern the query's selectors, site and time are used.
    pub alerts: &'a [Alert],
    /// The time the report is made.
    pub now: Timestamp,
    /// Command that makes the report again.
    pub reproduce: Option<String>,
    /// The period to compare with.
    pub compare: Option<Baseline>,
    /// What the report is about; by default everything.
    pub kind: ReportKind,
    /// Where it comes from.
    pub source: Source,
}

/// The period a report compares with.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Which events. Order and limit are ignored.
    pub query: Query,
    /// What it is, in words, for instance `the week before`.
    pub words: String,
}

/// Makes reports: one pass over the events, with memory bounded by the number of selectors, in two
/// threads where the store can divide its answer.
#[derive(Clone, Debug)]
pub struct ReportBuilder {
    config: ReportingConfig,
}

impl ReportBuilder {
    /// Takes a configuration.
    ///
    /// # Errors
    /// When a value is out of range; see [`ReportingConfig::validate`].
    pub fn new(config: ReportingConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self { config })
    }

    /// Reads the events and says what there is to say. `progress` is called now and then with the
    /// number of events read so far.
    ///
    /// Damage that the store meets on the way is counted in the report's data quality, and does
    /// not end it; neither do ledgers that cannot be read.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    pub fn build(
        &self,
        store: &dyn EventStore,
        request: &ReportRequest<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Report> {
        let advise = matches!(request.kind, ReportKind::Summary | ReportKind::Recommendations);
        let mut collected = Collected {
            compared: request.compare.is_some(),
            split: if advise { split(store, request) } else { None },
            ..Collected::default()
        };
        let queries = if from_rollups::wanted(store, request) {
            from_rollups::read(store, request, &mut collected, self.config.max_tracked)?
        } else {
            vec![request.query.clone()]
        };
        for query in &queries {
            self.read(store, query, request.now, &mut collected, progress)?;
        }
        collected.settle();
        let baseline = match &request.compare {
            Some(baseline) => {
                let mut other = Collected {
                    compared: true,
                    middle: compare::middle(&baseline.query),
                    ..Collected::default()
                };
                let before = collected.quality.events;
                let mut progress = |events| progress(before + events);
                self.read(store, &baseline.query, request.now, &mut other, &mut progress)?;
                other.settle();
                Some((baseline, other))
            }
            None => None,
        };
        let ledgers = if store.capabilities().ledgers { store.ledgers() } else { Ok(Vec::new()) };
        let mut report = self.assemble(request, &collected, ledgers);
        report.comparison = baseline
            .map(|(baseline, other)| compare::periods(&self.config, baseline, &other, &collected));
        if report.comparison.is_some() {
            report.methods.rules.push(compare::rule(&self.config));
        }
        if advise {
            report.methods.rules.extend(recommend::rules(&self.config));
        }
        sections::keep(&mut report, request.kind);
        Ok(report)
    }

    fn read(
        &self,
        store: &dyn EventStore,
        query: &Query,
        now: Timestamp,
        collected: &mut Collected,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let query = Query { order: Order::OldestFirst, limit: None, ..query.clone() };
        let before = collected.quality.events;
        let max_rows = self.config.max_tracked;
        let mut divided = store.query_parts(&query, threads::THREADS)?;
        if divided.parts.len() > 1 {
            threads::read(divided, now, max_rows, collected, &mut |read| progress(before + read));
        } else if let Some(events) = divided.parts.pop() {
            for (read, item) in (1..).zip(events) {
                match item {
                    Ok(event) => collected.take(&event, now, max_rows),
                    Err(error) => collected.damaged(&error),
                }
                if read % PROGRESS_EVERY == 0 {
                    progress(before + read);
                }
            }
        }
        progress(collected.quality.events);
        Ok(())
    }

    fn assemble(
        &self,
        request: &ReportRequest<'_>,
        collected: &Collected,
        ledgers: Result<Vec<Ledger>>,
    ) -> Report {
        let mut sites = BTreeMap::<&str, SelectorSummary>::new();
        let mut all = collected.untracked.clone();
        for (_, site, row) in rows(collected) {
            sites.entry(site).or_default().merge(&row.summary);
            all.merge(&row.summary);
        }
        let alerts = alerts_of(request);
        let findings = self.findings(collected, &sites, &alerts.open);
        let mut selectors: Vec<SelectorRow> = rows(collected)
            .map(|(name, site, row)| {
                let health = self.health(name, site, row, &findings);
                let since = findings
                    .iter()
                    .filter(|it| it.selector.as_ref() == Some(name))
                    .filter(|it| it.site.as_deref().is_none_or(|of| of == site))
                    .find_map(|it| it.since);
                selector_row(name, site, row, health, &all.timeline, since)
            })
            .collect();
        let health: Vec<Health> = selectors.iter().map(|row| row.health).collect();
        let mut calendars = BTreeMap::<&str, Calendar>::new();
        for (_, site, row) in rows(collected) {
            calendars.entry(site).or_default().merge(&row.calendar);
        }
        let site_rows =
            site_rows(&sites, &calendars, &selectors, &all.timeline, &collected.calendar);
        let totals = totals(collected, &all, &sites);
        let health_section = sections::health::health(&self.config, collected, &sites, &all);
        let verdict = verdict(&totals, &findings, &health);
        selectors.sort_by(|a, b| {
            let urgency = |it: &SelectorRow| match it.health {
                Health::Failing => 0,
                Health::Attention => 1,
                Health::Healthy | Health::NoData => 2,
            };
            (urgency(a), b.operations, &a.selector, &a.site).cmp(&(
                urgency(b),
                a.operations,
                &b.selector,
                &b.site,
            ))
        });
        let (attention, attention_omitted) = cut(findings, self.config.max_findings);
        let (selectors, selectors_omitted) = cut(selectors, self.config.max_selectors);
        let (sites, sites_omitted) = cut(site_rows, self.config.max_sites);
        Report {
            report_version: Report::VERSION,
            kind: ReportKind::Summary,
            generated_at: request.now,
            period: Period {
                from: request.query.from,
                to: request.query.to,
                first: all.first,
                last: all.last,
            },
            filter: filter_words(&request.query),
            verdict,
            totals,
            attention,
            attention_omitted,
            selectors,
            selectors_omitted,
            sites,
            sites_omitted,
            comparison: None,
            gate: None,
            performance: Some(sections::performance::performance(&self.config, collected, &all)),
            health: Some(health_section),
            trends: Some(sections::trends::trends(&self.config, collected)),
            recommendations: collected
                .split
                .map(|_| recommend::recommendations(&self.config, collected)),
            alerts,
            data_quality: data_quality(request, collected, ledgers),
            usage: Some(usage(collected, &all)),
            methods: self.methods(),
            reproduce: request.reproduce.clone(),
        }
    }

    fn findings(
        &self,
        collected: &Collected,
        sites: &BTreeMap<&str, SelectorSummary>,
        open: &[Alert],
    ) -> Vec<Finding> {
        let mut found: Vec<Finding> = rows(collected)
            .flat_map(|(name, site, row)| findings::of_row(&self.config, name, site, row))
            .chain(
                sites
                    .iter()
                    .filter_map(|(site, summary)| findings::of_site(&self.config, site, summary)),
            )
            .collect();
        alerts::join(&mut found, open);
        findings::rank(&mut found);
        found
    }

    fn health(
        &self,
        selector: &SelectorName,
        site: &str,
        row: &Row,
        findings: &[Finding],
    ) -> Health {
        let mut own = findings
            .iter()
            .filter(|it| it.selector.as_ref() == Some(selector))
            .filter(|it| it.site.as_deref().is_none_or(|of| of == site))
            .peekable();
        if own.peek().is_none() {
            let enough = row.summary.verdicts() >= self.config.min_samples;
            return if enough { Health::Healthy } else { Health::NoData };
        }
        if own.any(findings::is_broken) { Health::Failing } else { Health::Attention }
    }

    fn methods(&self) -> Methods {
        let config = &self.config;
        let (min, share) = (config.min_samples, percent);
        Methods {
            interval: "Wilson, 95 %".into(),
            quantile_relative_error: DurationSketch::relative_error(),
            rules: vec![
                format!("Too few to judge: fewer than {min} operations that tested the selector."),
                format!(
                    "Stopped working: {} or more faults in a row up to the end, after a success, \
                     that the fault rate before them makes less likely than 1 in 1,000.",
                    config.stopped_faults
                ),
                format!(
                    "Succeeds less: success rate at least {} lower than before, {min} or more \
                     operations on each side, 99.9 % intervals disjoint, and still so at the end.",
                    share(config.success_drop)
                ),
                format!("Fails often: 95 % interval below {}.", share(config.reliable_share)),
                format!(
                    "Fallback took over: share of fallbacks at least {} higher than before, by the \
                     same test.",
                    share(config.fallback_rise)
                ),
                format!(
                    "Confidence fell: mean at least {:.2} lower than before, Welch's t of 4 or more.",
                    config.confidence_drop
                ),
                format!(
                    "Slowed: median at least {} times and {} above before, share of slow \
                     operations risen by the same test.",
                    config.slow_ratio,
                    millis(config.slow_min_ms)
                ),
                format!(
                    "Site trouble: 95 % interval of the share of operations spoilt by the \
                     environment above {}.",
                    share(config.site_trouble_share)
                ),
            ],
        }
    }
}

pub(crate) fn rows(collected: &Collected) -> impl Iterator<Item = (&SelectorName, &str, &Row)> {
    collected
        .rows
        .iter()
        .flat_map(|(name, sites)| sites.iter().map(move |(site, row)| (name, site.as_ref(), row)))
}

/// The first `most` of a list, and how many were left out.
pub(crate) fn cut<T>(mut list: Vec<T>, most: usize) -> (Vec<T>, u64) {
    let omitted = list.len().saturating_sub(most) as u64;
    list.truncate(most);
    (list, omitted)
}

fn alerts_of(request: &ReportRequest<'_>) -> ReportAlerts {
    let query = &request.query;
    let concerns = |alert: &&Alert| {
        query.selector.as_ref().is_none_or(|it| it.matches(alert.selector.as_str()))
            && query
                .site
                .as_ref()
                .is_none_or(|it| alert.site.as_ref().is_none_or(|site| site == it))
            && query.to.is_none_or(|to| alert.since < to)
    };
    let concerned = || request.alerts.iter().filter(concerns);
    let mut open: Vec<Alert> = concerned().filter(|it| it.state.is_open()).cloned().collect();
    open.sort_by(|a, b| {
        (b.severity, a.since, &a.selector, &a.id).cmp(&(a.severity, b.since, &b.selector, &b.id))
    });
    let mut resolved: Vec<Alert> = concerned()
        .filter(|it| matches!(it.state, AlertState::Resolved | AlertState::Closed))
        .filter(|it| it.resolved_at.is_some_and(|at| query.covers_time(at)))
        .cloned()
        .collect();
    resolved.sort_by(|a, b| {
        (b.resolved_at, &a.selector, &a.id).cmp(&(a.resolved_at, &b.selector, &b.id))
    });
    ReportAlerts { open, resolved }
}

fn totals(
    collected: &Collected,
    all: &SelectorSummary,
    sites: &BTreeMap<&str, SelectorSummary>,
) -> Totals {
    Totals {
        operations: all.operations(),
        success: all.successes(),
        selector_fault: all.of_class(OutcomeClass::SelectorFault),
        environment_fault: all.of_class(OutcomeClass::EnvironmentFault),
        cancelled: all.of_class(OutcomeClass::Cancelled),
        expected_absence: all.of_class(OutcomeClass::ExpectedAbsence),
        success_rate: rate(all.successes(), all.verdicts()),
        durations: quantiles(&all.durations),
        selectors: collected.rows.len() as u64,
        sites: sites.keys().filter(|site| !site.is_empty()).count() as u64,
        sessions: collected.sessions.count(),
    }
}

fn site_rows(
    sites: &BTreeMap<&str, SelectorSummary>,
    calendars: &BTreeMap<&str, Calendar>,
    selectors: &[SelectorRow],
    axis: &Timeline,
    day_axis: &Calendar,
) -> Vec<SiteRow> {
    let mut rows: Vec<SiteRow> = sites
        .iter()
        .map(|(site, summary)| {
            let days = calendars.get(site).map(|it| days(it, day_axis)).unwrap_or_default();
            let site = site_name(site);
            let here = || selectors.iter().filter(|row| row.site == site);
            let names: BTreeSet<_> = here().map(|row| &row.selector).collect();
            let in_trouble =
                here().filter(|row| matches!(row.health, Health::Failing | Health::Attention));
            SiteRow {
                operations: summary.operations(),
                selectors: names.len() as u64,
                selectors_in_trouble: in_trouble.count() as u64,
                success_rate: rate(summary.successes(), summary.verdicts()),
                environment_fault_rate: rate(
                    summary.of_class(OutcomeClass::EnvironmentFault),
                    summary.operations(),
                ),
                durations: quantiles(&summary.durations),
                series: series(&summary.timeline, axis),
                days,
                site,
            }
        })
        .collect();
    rows.sort_by(|a, b| b.operations.cmp(&a.operations).then_with(|| a.site.cmp(&b.site)));
    rows
}

/// Two thirds into the time that the period and the store's events have in common: orders are
/// chosen before and held against what comes after.
fn split(store: &dyn EventStore, request: &ReportRequest<'_>) -> Option<Timestamp> {
    let stats = store.stats().ok()?;
    let from = request.query.from.max(stats.first)?;
    let to = [request.query.to, stats.last, Some(request.now)].into_iter().flatten().min()?;
    Some(from.saturating_add(to.since(from) / 3 * 2))
}

/// Which events, in words; time is told by the period.
fn filter_words(query: &Query) -> String {
    let outcomes: Vec<&str> = query.outcomes.iter().map(|it| it.as_str()).collect();
    let parts = [
        query.selector.as_ref().map(|it| format!("selector {it}")),
        query.site.as_ref().map(|it| format!("site {it}")),
        (!outcomes.is_empty()).then(|| format!("outcome {}", outcomes.join(" or "))),
        query.strategy.as_ref().map(|it| format!("strategy {it}")),
        query.correlation.as_ref().map(|it| format!("correlation {it}")),
        query.event.as_ref().map(|it| format!("event {it}")),
        query.run.as_ref().map(|it| format!("run {it}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "all events".into() } else { parts.join(", ") }
}

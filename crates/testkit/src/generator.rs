//! A seeded stream of events as a fleet of scrapers would record them.

use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{
    Attempt, AttemptOutcome, Confidence, CorrelationId, ErrorInfo, Event, EventIds, OperationKind,
    Outcome, PageContext, ProducerId, Quality, Resources, RunId, SelectorName, SessionId,
    StrategyKind, Timestamp, Timing, Viewport,
};

/// What the stream looks like.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratorConfig {
    /// Length of the stream.
    pub events: u64,
    /// Distinct selectors, chosen with Zipf's law, exponent 1.1.
    pub selectors: usize,
    /// Distinct sites; each selector belongs to one.
    pub sites: usize,
    /// Browser sessions at work at the same time.
    pub sessions: usize,
    /// Time the stream covers, in hours.
    pub hours: u32,
    /// Share of operations that fail, 0 to 1.
    pub error_share: f64,
    /// Share of operations in which the primary strategy does not match, 0 to 1.
    pub fallback_share: f64,
    /// Timestamp of the first event, about.
    pub start: Timestamp,
    /// The run.
    pub run: Arc<str>,
    /// The producer within the run.
    pub producer: Arc<str>,
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            events: 1_000_000,
            selectors: 500,
            sites: 50,
            sessions: 400,
            hours: 24,
            error_share: 0.03,
            fallback_share: 0.08,
            start: Timestamp::from_millis(1_767_225_600_000),
            run: "nightly-2026-01-01".into(),
            producer: "worker-1".into(),
        }
    }
}

/// Gives the events, about in the order of their timestamps. The same seed and configuration give
/// the same events.
#[derive(Debug)]
pub struct EventGenerator {
    config: GeneratorConfig,
    rng: Rng,
    run: RunId,
    producer: ProducerId,
    ids: EventIds,
    engine: Arc<str>,
    sites: Vec<Site>,
    /// Ascending, the last is the sum of all.
    site_weights: Vec<f64>,
    sessions: Vec<Session>,
    next: u64,
}

#[derive(Debug)]
struct Site {
    host: String,
    selectors: Vec<Selector>,
    /// Ascending, the last is the sum of all.
    weights: Vec<f64>,
}

#[derive(Debug)]
struct Selector {
    name: SelectorName,
    version: u32,
    strategies: Vec<(StrategyKind, Arc<str>)>,
    base_us: u64,
}

#[derive(Debug)]
struct Session {
    id: SessionId,
    user_agent: Arc<str>,
    site: usize,
    page: Option<Arc<PageContext>>,
    correlation: CorrelationId,
    operations_left: u32,
}

const PARTS: &[&str] = &[
    "title",
    "price",
    "rating",
    "stock",
    "image",
    "seller",
    "review",
    "next_page",
    "sku",
    "badge",
];
const AREAS: &[&str] = &["product", "search", "listing", "cart", "account", "article"];
const AGENTS: &[&str] = &[
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
];

impl EventGenerator {
    /// Prepares the stream. At least one selector, site, session and hour is taken.
    pub fn new(seed: u64, config: GeneratorConfig) -> Self {
        let mut rng = Rng::with_seed(seed);
        let run = named(&config.run, "run", RunId::new);
        let producer = named(&config.producer, "producer", ProducerId::new);
        let mut sites: Vec<Site> = (0..config.sites.max(1))
            .map(|at| Site {
                host: format!("www.shop-{at:02}.example"),
                selectors: Vec::new(),
                weights: Vec::new(),
            })
            .collect();
        for rank in 0..config.selectors.max(1) {
            let at = rank % sites.len();
            let weight = 1.0 / (rank as f64 + 1.0).powf(1.1);
            let site = &mut sites[at];
            site.weights.push(site.weights.last().copied().unwrap_or(0.0) + weight);
            let selector = selector(&mut rng, at, rank);
            site.selectors.push(selector);
        }
        sites.retain(|site| !site.selectors.is_empty());
        let mut sum = 0.0;
        let site_weights = sites
            .iter()
            .map(|site| {
                sum += site.weights.last().copied().unwrap_or(0.0);
                sum
            })
            .collect();
        let sessions = (0..config.sessions.max(1))
            .map(|at| Session {
                id: named(&format!("session-{at:04}"), "session", SessionId::new),
                user_agent: AGENTS[at % AGENTS.len()].into(),
                site: 0,
                page: None,
                correlation: CorrelationId::from_u128(rng.u128(..)),
                operations_left: 0,
            })
            .collect();
        Self {
            ids: EventIds::new(&run, &producer),
            engine: "playwright 1.57".into(),
            run,
            producer,
            sites,
            site_weights,
            sessions,
            rng,
            config,
            next: 0,
        }
    }

    fn navigate(&mut self, session: usize, at: Timestamp) {
        let site = pick(&mut self.rng, &self.site_weights);
        let area = AREAS[self.rng.usize(..AREAS.len())];
        let number = self.rng.u32(100_000..999_999);
        let host = &self.sites[site].host;
        let query = match self.rng.u8(..3) {
            0 => format!("?page={}", self.rng.u8(1..40)),
            1 => format!("?ref=list&position={}", self.rng.u8(1..60)),
            _ => String::new(),
        };
        let session = &mut self.sessions[session];
        session.site = site;
        session.operations_left = self.rng.u32(5..30);
        session.correlation = CorrelationId::from_u128(self.rng.u128(..));
        session.page = Some(Arc::new(PageContext {
            session: Some(session.id.clone()),
            tab: Some(if self.rng.u8(..10) == 0 { "tab-2" } else { "tab-1" }.into()),
            url: Some(format!("https://{host}/{area}/{number}{query}").into()),
            url_template: Some(format!("/{area}/{{id}}").into()),
            title: Some(format!("{area} {number} | shop").into()),
            user_agent: Some(Arc::clone(&session.user_agent)),
            viewport: Some(Viewport { width: 1920, height: 1080 }),
            entered_at: Some(at),
        }));
    }

    fn event(&mut self, sequence: u64) -> Event {
        let span_ns = u64::from(self.config.hours.max(1)) * 3_600_000_000_000;
        let step_ns = span_ns / self.config.events.max(1);
        let ended = self.config.start.saturating_add(Duration::from_nanos(
            step_ns.saturating_mul(sequence) + self.rng.u64(0..=step_ns),
        ));
        let session = self.rng.usize(..self.sessions.len());
        if self.sessions[session].operations_left == 0 {
            self.navigate(session, ended);
        }
        self.sessions[session].operations_left -= 1;
        let site = &self.sites[self.sessions[session].site];
        let selector = &site.selectors[pick(&mut self.rng, &site.weights)];
        let failed = self.rng.f64() < self.config.error_share;
        let depth =
            if self.rng.f64() < self.config.fallback_share { 1 + self.rng.usize(..3) } else { 0 };
        let last = if failed {
            selector.strategies.len()
        } else {
            depth.min(selector.strategies.len() - 1)
        };
        let outcome = if failed { failure(&mut self.rng) } else { Outcome::Success };
        let mut attempts = Vec::with_capacity(selector.strategies.len());
        let mut strategies_ns = 0;
        for (at, (kind, text)) in selector.strategies.iter().enumerate().take(last + 1) {
            let accepted = at == last;
            let ns = selector.base_us * 700 + self.rng.u64(..selector.base_us * 600);
            strategies_ns += ns;
            attempts.push(Attempt {
                kind: kind.clone(),
                text: Some(Arc::clone(text)),
                outcome: if accepted { AttemptOutcome::Accepted } else { AttemptOutcome::Empty },
                duration: Some(Duration::from_nanos(ns)),
                elements: Some(if accepted { 1 + u32::from(self.rng.u8(..12) == 0) } else { 0 }),
                confidence: accepted
                    .then(|| Confidence::saturating(0.8 + 0.01 * f64::from(self.rng.u8(..20))))
                    .flatten(),
                shadow: None,
            });
        }
        let resolution_ns = strategies_ns + self.rng.u64(20_000..90_000);
        let total_ns = resolution_ns + self.rng.u64(5_000..60_000);
        let accepted = attempts.iter().find(|attempt| attempt.is_accepted());
        let quality = Quality {
            confidence: accepted.and_then(|attempt| attempt.confidence),
            elements_found: Some(accepted.and_then(|attempt| attempt.elements).unwrap_or(0)),
            validation_passed: accepted.map(|_| true),
            drift_detected: None,
        };
        let sampled = self.rng.u8(..20) == 0;
        Event {
            id: self.ids.id(sequence),
            correlation_id: Some(self.sessions[session].correlation.clone()),
            selector: selector.name.clone(),
            selector_version: Some(selector.version),
            timestamp: ended.saturating_sub(Duration::from_nanos(total_ns)),
            operation: OperationKind::Resolution,
            outcome,
            attempts,
            timing: Timing {
                resolution: Some(Duration::from_nanos(resolution_ns)),
                strategies: Some(Duration::from_nanos(strategies_ns)),
                total: Some(Duration::from_nanos(total_ns)),
            },
            resources: Resources {
                memory_mb: sampled.then(|| f64::from(self.rng.u32(2000..4000)) / 8.0),
                cpu_percent: sampled.then(|| f64::from(self.rng.u32(10..800)) / 8.0),
                network_requests: None,
                dom_operations: Some(self.rng.u32(1..8)),
            },
            quality,
            error: failed.then(|| error(&mut self.rng, outcome, &selector.name)),
            page: self.sessions[session].page.clone(),
            engine: Some(Arc::clone(&self.engine)),
            run: Some(self.run.clone()),
            producer: Some(self.producer.clone()),
            sequence: Some(sequence),
            attributes: Default::default(),
        }
    }
}

impl Iterator for EventGenerator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.next >= self.config.events {
            return None;
        }
        let event = self.event(self.next);
        self.next += 1;
        Some(event)
    }
}

fn selector(rng: &mut Rng, site: usize, rank: usize) -> Selector {
    let area = AREAS[rank / PARTS.len() % AREAS.len()];
    let part = PARTS[rank % PARTS.len()];
    let texts: [(StrategyKind, String); 4] = [
        (StrategyKind::Css, format!("div.{area}-{rank} > span.{part}")),
        (
            StrategyKind::XPath,
            format!("//div[@data-area='{area}']//*[@data-field='{part}-{rank}']"),
        ),
        (StrategyKind::AttributeMatch, format!("data-test={area}-{part}")),
        (StrategyKind::TextAnchor, format!("near:{part}")),
    ];
    let count = rng.usize(1..=4);
    let strategies = texts.into_iter().take(count).map(|(kind, text)| (kind, text.into()));
    let name = format!("shop-{site:02}.{area}.{part}_{rank}");
    Selector {
        name: named(&name, "selector", SelectorName::new),
        version: 1 + rng.u32(..5),
        strategies: strategies.collect(),
        base_us: rng.u64(200..8000),
    }
}

fn failure(rng: &mut Rng) -> Outcome {
    match rng.u8(..10) {
        0..=5 => Outcome::NotFound,
        6..=7 => Outcome::Timeout,
        8 => Outcome::Blocked,
        _ => Outcome::EngineError,
    }
}

fn error(rng: &mut Rng, outcome: Outcome, selector: &SelectorName) -> ErrorInfo {
    let line = rng.u32(20..900);
    ErrorInfo {
        kind: outcome.as_str().into(),
        message: Some(
            format!("no strategy of {selector} matched after {} ms", rng.u32(100..30_000)).into(),
        ),
        stack: Some(
            format!(
                "at resolve (scraper/engine.py:{line})\n  at extract (scraper/{selector}.py:{})\n  \
                 at visit (scraper/worker.py:118)\n  at main (scraper/__main__.py:31)",
                rng.u32(10..300)
            )
            .into(),
        ),
        retry_attempts: Some(rng.u32(..3)),
        fallback_attempts: None,
        recovery_successful: Some(false),
    }
}

/// Position of the first weight above a random share of the sum.
fn pick(rng: &mut Rng, weights: &[f64]) -> usize {
    let sum = weights.last().copied().unwrap_or(0.0);
    let share = rng.f64() * sum;
    weights.partition_point(|weight| *weight <= share).min(weights.len().saturating_sub(1))
}

fn named<T, E>(text: &str, otherwise: &str, make: impl Fn(Arc<str>) -> Result<T, E>) -> T {
    match make(text.into()).or_else(|_| make(otherwise.into())) {
        Ok(name) => name,
        Err(_) => unreachable!("{otherwise:?} is not blank"),
    }
}

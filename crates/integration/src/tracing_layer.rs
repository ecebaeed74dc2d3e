use crate::registered::Registered;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use telemetry_interfaces::{AttemptRecord, OperationObserver, PageHandle, SelectorObserver};
use telemetry_models::{
    AttemptOutcome, OperationKind, Outcome, PageContext, StrategyDefinition, StrategyKind,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// Targets that are never recorded: telemetry that watched itself would have no end.
const OWN_TARGETS: [&str; 2] = ["telemetry_", "telemetry::"];
/// Pages told apart by URL before they are forgotten and met anew.
const PAGES: usize = 1_024;

/// Which spans are operations, and what their fields mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanFields {
    /// Targets to record, with everything below them; empty for all. Default: all.
    pub targets: Vec<String>,
    /// Holds the selector's text; a span without it is no operation. Default: `selector`.
    pub selector: String,
    /// Holds the selector's name, which is its text otherwise. Default: `selector.name`.
    pub name: String,
    /// Holds the page's URL. Default: `url`.
    pub url: String,
    /// Holds what went wrong. Default: `error`.
    pub error: String,
    /// The engine's name; by default the first part of the span's target.
    pub engine: Option<String>,
}

impl Default for SpanFields {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            selector: "selector".into(),
            name: "selector.name".into(),
            url: "url".into(),
            error: "error".into(),
            engine: None,
        }
    }
}

/// Records the operations of engines that emit `tracing` spans with a selector among their fields.
///
/// A span is an operation from its creation to its close. How it ended, nobody says outright:
///
/// | the span | is recorded as |
/// |---|---|
/// | closed without a word | `success`, or what [`unreported`](Self::unreported) sets: the engine reported no failure |
/// | held an event of level `ERROR`, or any with an `error` field (`#[instrument(err)]` does that) | `engine_error`, or what [`classify`](Self::classify) makes of the message |
/// | recorded an `error` field, or `otel.status_code = "ERROR"` | the same |
/// | closed during a panic | `panicked` |
///
/// A span below one with the same selector is part of that operation (`page.click` calls
/// `locator.click`, and both say so). A future that is dropped closes its span like one that is done, so `cancelled` cannot be told.
/// Events count for the nearest enclosing operation. The kind of strategy is read from the text:
/// `xpath=…` or a leading `/` or `(/` is XPath, `text=…` is text, anything else is CSS; the prefixes
/// are Playwright's. Matches are not known and stay absent.
///
/// Spans and events of this system's own targets are ignored, so it cannot record itself.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use telemetry_collector::{Collector, CollectorConfig};
/// use telemetry_integration::TelemetryLayer;
/// use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
/// use telemetry_models::Outcome;
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let store = Arc::new(MemoryStore::new());
/// let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
/// let layer = TelemetryLayer::new(collector.clone()).classify(|message| {
///     message.contains("Timeout").then_some(Outcome::Timeout)
/// });
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     let span = tracing::info_span!(target: "some_engine::locator", "click", selector = "#buy");
///     span.in_scope(|| tracing::error!(target: "some_engine", error = "Timeout 30000ms exceeded"));
/// });
///
/// collector.flush(Duration::from_secs(5));
/// let event = store.query(&Query::all())?.next().unwrap()?;
/// assert_eq!((event.selector.as_str(), event.outcome), ("#buy", Outcome::Timeout));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TelemetryLayer<O> {
    observer: O,
    fields: SpanFields,
    unreported: Outcome,
    classify: Box<Classify>,
    registered: Registered,
    pages: RwLock<HashMap<Box<str>, PageHandle>>,
}

type Classify = dyn Fn(&str) -> Option<Outcome> + Send + Sync;

impl<O> TelemetryLayer<O>
where
    O: SelectorObserver + 'static,
    O::Operation: Sync,
{
    /// Records through `observer`, with the default [`SpanFields`].
    pub fn new(observer: O) -> Self {
        Self {
            observer,
            fields: SpanFields::default(),
            unreported: Outcome::Success,
            classify: Box::new(|_| None),
            registered: Registered::default(),
            pages: RwLock::default(),
        }
    }

    /// Sets which spans are operations.
    #[must_use]
    pub fn fields(mut self, fields: SpanFields) -> Self {
        self.fields = fields;
        self
    }

    /// Sets the outcome of a span that closes without a word.
    #[must_use]
    pub fn unreported(mut self, outcome: Outcome) -> Self {
        self.unreported = outcome;
        self
    }

    /// Sets what an error message means: a timeout, for instance, in an engine that waits for
    /// elements. `None` leaves it at `engine_error`.
    #[must_use]
    pub fn classify(
        mut self,
        outcome: impl Fn(&str) -> Option<Outcome> + Send + Sync + 'static,
    ) -> Self {
        self.classify = Box::new(outcome);
        self
    }

    fn concerns(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let below = |wanted: &String| {
            target
                .strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        !is_own(target) && (self.fields.targets.is_empty() || self.fields.targets.iter().any(below))
    }

    fn begin(&self, metadata: &Metadata<'_>, seen: Seen) -> Option<Operation<O::Operation>> {
        let text: Box<str> = seen.selector?.into();
        let kind = kind_of(&text);
        let handle = match seen.name {
            Some(name) => {
                let strategy = StrategyDefinition { kind, text: (*text).into() };
                self.registered.named(&self.observer, &name, vec![strategy])
            }
            None => self.registered.text(&self.observer, kind, &text),
        };
        let engine = self.fields.engine.as_deref();
        let engine = engine.unwrap_or_else(|| first_part(metadata.target()));
        let page = seen.url.map(|url| self.page(&url));
        let operation = self.observer.start(engine, handle, page, OperationKind::Resolution);
        Some(Operation { operation, text, failure: seen.failure })
    }

    /// Whether a span lies below an operation with the same selector.
    fn is_part<'a, R: LookupSpan<'a>>(span: &SpanRef<'a, R>, text: &str) -> bool {
        span.scope().skip(1).any(|outer| {
            let extensions = outer.extensions();
            extensions.get::<Operation<O::Operation>>().is_some_and(|known| *known.text == *text)
        })
    }

    fn page(&self, url: &str) -> PageHandle {
        if let Some(page) = self.pages.read().get(url) {
            return *page;
        }
        let page = self.observer.page(&PageContext::at(url));
        let mut pages = self.pages.write();
        if pages.len() >= PAGES {
            pages.clear();
        }
        pages.insert(url.into(), page);
        page
    }

    fn end(&self, operation: Operation<O::Operation>) {
        let Operation { mut operation, failure, .. } = operation;
        if std::thread::panicking() {
            // Left as it is, the operation records `panicked` by itself.
            return;
        }
        let outcome = match &failure {
            None => self.unreported,
            Some(message) => (self.classify)(message).unwrap_or(Outcome::EngineError),
        };
        operation.attempt(AttemptRecord {
            elapsed: operation.elapsed(),
            ..AttemptRecord::new(0, attempt_of(outcome))
        });
        if let Some(message) = failure.filter(|_| !outcome.is_success()) {
            operation.error(outcome.as_str(), &message);
        }
        operation.finish(outcome);
    }
}

impl<O> fmt::Debug for TelemetryLayer<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryLayer").field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// Kept with the span it is about.
struct Operation<P> {
    operation: P,
    text: Box<str>,
    failure: Option<String>,
}

impl<O, S> Layer<S> for TelemetryLayer<O>
where
    O: SelectorObserver + 'static,
    O::Operation: Sync,
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if metadata.fields().field(&*self.fields.selector).is_none() || !self.concerns(metadata) {
            return;
        }
        let mut seen = Seen::default();
        attributes.record(&mut Reader { fields: &self.fields, seen: &mut seen });
        let Some(span) = context.span(id) else { return };
        if seen.selector.as_deref().is_none_or(|text| Self::is_part(&span, text)) {
            return;
        }
        // The observer is called while no span is locked: it may emit events itself.
        if let Some(operation) = self.begin(metadata, seen) {
            span.extensions_mut().replace(operation);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let metadata = span.metadata();
        if metadata.fields().field(&*self.fields.selector).is_none() || !self.concerns(metadata) {
            return;
        }
        let mut seen = Seen::default();
        values.record(&mut Reader { fields: &self.fields, seen: &mut seen });
        if let Some(known) = span.extensions_mut().get_mut::<Operation<O::Operation>>() {
            known.failure = seen.failure.or(known.failure.take());
            return;
        }
        if seen.selector.as_deref().is_none_or(|text| Self::is_part(&span, text)) {
            return;
        }
        // A selector that the span learns only now.
        if let Some(operation) = self.begin(metadata, seen) {
            span.extensions_mut().replace(operation);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let severe = *metadata.level() == Level::ERROR;
        let tells = severe || metadata.fields().field(&*self.fields.error).is_some();
        if !tells || is_own(metadata.target()) {
            return;
        }
        let mut seen = Seen::default();
        event.record(&mut Reader { fields: &self.fields, seen: &mut seen });
        let failure = match (seen.failure, seen.message) {
            (Some(failure), _) => failure,
            (None, message) if severe => message.unwrap_or_default(),
            (None, _) => return,
        };
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(known) = span.extensions_mut().get_mut::<Operation<O::Operation>>() {
                known.failure = Some(failure);
                return;
            }
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let operation = span.extensions_mut().remove::<Operation<O::Operation>>();
        if let Some(operation) = operation {
            self.end(operation);
        }
    }
}

/// What the fields of a span or an event hold.
#[derive(Debug, Default)]
struct Seen {
    selector: Option<String>,
    name: Option<String>,
    url: Option<String>,
    failure: Option<String>,
    message: Option<String>,
}

struct Reader<'a> {
    fields: &'a SpanFields,
    seen: &'a mut Seen,
}

impl Reader<'_> {
    fn take(&mut self, field: &Field, value: impl Fn() -> String) {
        let Self { fields, seen } = self;
        match field.name() {
            name if name == fields.selector => seen.selector = Some(value()),
            name if name == fields.name => seen.name = Some(value()),
            name if name == fields.url => seen.url = Some(value()),
            name if name == fields.error => seen.failure = Some(value()),
            "message" => seen.message = Some(value()),
            "otel.status_code" if value().eq_ignore_ascii_case("error") => {
                seen.failure.get_or_insert_with(|| "the span's status is ERROR".into());
            }
            "otel.status_description" => seen.failure = Some(value()),
            _ => {}
        }
    }
}

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, || value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        // `error = false` says that nothing went wrong.
        if value {
            self.take(field, || "true".into());
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.take(field, || value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, || unquoted(&format!("{value:?}")));
    }
}

/// The text of a `String`, which `#[instrument]` records in its debug form.
fn unquoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}

fn is_own(target: &str) -> bool {
    OWN_TARGETS.iter().any(|own| target.starts_with(own)) || target == "telemetry"
}

fn first_part(target: &str) -> &str {
    target.split("::").next().unwrap_or(target)
}

/// The kind of strategy a text is, by Playwright's prefixes.
fn kind_of(text: &str) -> StrategyKind {
    if text.starts_with("xpath=") || text.starts_with('/') || text.starts_with("(/") {
        StrategyKind::XPath
    } else if text.starts_with("text=") {
        StrategyKind::Text
    } else {
        StrategyKind::Css
    }
}

fn attempt_of(outcome: Outcome) -> AttemptOutcome {
    match outcome {
        Outcome::Success => AttemptOutcome::Accepted,
        Outcome::NotFound | Outcome::ExpectedAbsent => AttemptOutcome::Empty,
        Outcome::LowConfidence => AttemptOutcome::LowConfidence,
        Outcome::Ambiguous => AttemptOutcome::Ambiguous,
        Outcome::ValidationFailed => AttemptOutcome::ValidationFailed,
        Outcome::InvalidSelector => AttemptOutcome::InvalidSelector,
        Outcome::Timeout => AttemptOutcome::Timeout,
        _ => AttemptOutcome::Error,
    }
}

use crate::cold::Cold;
use crate::shared::Shared;
use crate::{Collector, OperationSpan};
use std::cell::{Cell, RefCell};
use std::fmt;
use telemetry_interfaces::{PageHandle, SelectorHandle, SelectorObserver};
use telemetry_models::{
    CorrelationId, EventIds, OperationKind, PageContext, ProducerId, SelectorDefinition, SessionId,
};
use tracing::Span;

/// A piece of work of the observed program: whatever operation begins in it bears its correlation
/// id, and its session if it has one (in the page context, which it gets if it has no page). Pieces nest: operation within piece of work within session
/// within run.
///
/// An operation belongs to it in one of two ways: it is started through the scope, which is a
/// [`SelectorObserver`] itself; or through any handle of the collector while the scope is entered
/// on the thread ([`enter`](Self::enter), [`in_scope`](Self::in_scope)) or around a future
/// ([`wrap`](Self::wrap)). [`OperationSpan::correlate`] goes over both.
///
/// In `tracing` output it is a span of level `info` and target `telemetry::session` with the
/// fields `run`, `producer`, `session` and `correlation_id`, so that the program's own log lines
/// say where they belong. Without a subscriber that wants it, it is nothing.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use telemetry_collector::{Collector, CollectorConfig};
/// use telemetry_interfaces::{EventSink, EventStore, MemoryStore, OperationObserver, Query};
/// use telemetry_interfaces::SelectorObserver;
/// use telemetry_models::{OperationKind, Outcome, SelectorDefinition, SelectorName, SessionId};
///
/// let store = Arc::new(MemoryStore::new());
/// let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
/// let title = collector.selector(&SelectorDefinition {
///     name: SelectorName::new("shop.title")?,
///     version: 1,
///     strategies: Vec::new(),
/// });
///
/// let session = collector.session(&SessionId::new("browser-1")?);
/// let product = session.work();
/// product.in_scope(|| {
///     // Deep within an engine that knows nothing of scopes:
///     collector.start("", title, None, OperationKind::Resolution).finish(Outcome::Success);
/// });
///
/// collector.flush(Duration::from_secs(5));
/// let event = store.query(&Query::all())?.next().unwrap()?;
/// assert_eq!(event.correlation_id.as_ref(), Some(product.correlation_id()));
/// assert_eq!(event.page.unwrap().session.as_ref(), session.session_id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Scope {
    collector: Collector,
    session: Option<SessionId>,
    correlation: CorrelationId,
    log: Span,
}

/// While it lives, operations of its thread belong to its scope; then to the one before. Drop
/// guards in the reverse order of their making.
#[must_use = "the scope is left when the guard is dropped"]
pub struct Entered<'a> {
    before: Option<Current>,
    _log: tracing::span::Entered<'a>,
}

thread_local! {
    /// Whether there is anything in `CURRENT`: all that an operation outside any scope looks at.
    static ANY: Cell<bool> = const { Cell::new(false) };
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// What operations of a thread inherit.
struct Current {
    correlation: CorrelationId,
    session: Option<SessionId>,
    /// The page that was asked for last, and the one in this session that stands for it.
    last: Option<LastPage>,
}

#[derive(Clone, Copy)]
struct LastPage {
    collector: u32,
    given: Option<u32>,
    page: u32,
}

impl Collector {
    /// A session, with a correlation id for what is done in it.
    pub fn session(&self, session: &SessionId) -> Scope {
        let correlation = self.fresh_correlation();
        let log = self.log(&Span::current(), Some(session), &correlation);
        Scope { collector: self.clone(), session: Some(session.clone()), correlation, log }
    }

    /// A piece of work outside any session, with a correlation id of its own.
    pub fn work(&self) -> Scope {
        self.work_as(self.fresh_correlation())
    }

    /// A piece of work that has an id already: that of a request, or of a distributed trace. An id
    /// that is no UUID in canonical form costs each of its operations an allocation.
    pub fn work_as(&self, correlation: CorrelationId) -> Scope {
        let log = self.log(&Span::current(), None, &correlation);
        Scope { collector: self.clone(), session: None, correlation, log }
    }

    /// Derived from run, producer and a count: no random number is drawn.
    fn fresh_correlation(&self) -> CorrelationId {
        let producer = ProducerId::new(format!("{}\0work", self.producer()))
            .expect("a text with more than blanks in it");
        let id = EventIds::new(self.run(), &producer).id(self.count_work());
        CorrelationId::from_u128(id.as_u128().expect("ids made of a sequence are UUIDs"))
    }

    fn log(&self, parent: &Span, session: Option<&SessionId>, correlation: &CorrelationId) -> Span {
        // Nothing of this is computed unless a subscriber wants the span.
        tracing::info_span!(
            target: "telemetry::session", parent: parent, "work",
            run = %self.run(), producer = %self.producer(),
            session = session.map(|it| tracing::field::display(self.privacy().session(it))),
            correlation_id = %self.shown(correlation),
        )
    }

    fn shown(&self, correlation: &CorrelationId) -> CorrelationId {
        let mut shown = correlation.clone();
        self.privacy().correlation(&mut shown);
        shown
    }
}

impl Scope {
    /// A piece of work within this one: the same session, a correlation id of its own.
    pub fn work(&self) -> Self {
        self.work_as(self.collector.fresh_correlation())
    }

    /// As [`work`](Self::work), with an id that exists already. See [`Collector::work_as`].
    pub fn work_as(&self, correlation: CorrelationId) -> Self {
        let log = self.collector.log(&self.log, self.session.as_ref(), &correlation);
        Self { collector: self.collector.clone(), session: self.session.clone(), correlation, log }
    }

    /// What its operations bear.
    pub fn correlation_id(&self) -> &CorrelationId {
        &self.correlation
    }

    /// The session it belongs to.
    pub fn session_id(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// Its span in `tracing` output.
    pub fn log_span(&self) -> &Span {
        &self.log
    }

    /// Makes operations of this thread belong to it, until the guard is dropped. Not across an
    /// `.await`: see [`wrap`](Self::wrap).
    pub fn enter(&self) -> Entered<'_> {
        let before = CURRENT.replace(Some(Current {
            correlation: self.correlation.clone(),
            session: self.session.clone(),
            last: None,
        }));
        ANY.set(true);
        Entered { before, _log: self.log.enter() }
    }

    /// Runs `work` in it.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.enter();
        work()
    }

    /// Runs a future in it: whichever thread polls it, and never while it waits.
    pub async fn wrap<F: Future>(self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| {
            let _entered = self.enter();
            future.as_mut().poll(context)
        })
        .await
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let before = self.before.take();
        // The thread may be ending; then nothing begins on it any more.
        let _ = ANY.try_with(|any| any.set(before.is_some()));
        let _ = CURRENT.try_with(|current| *current.borrow_mut() = before);
    }
}

impl SelectorObserver for Scope {
    type Operation = OperationSpan;

    fn selector(&self, definition: &SelectorDefinition) -> SelectorHandle {
        self.collector.selector(definition)
    }

    /// The page gets the scope's session unless it names one.
    fn page(&self, page: &PageContext) -> PageHandle {
        match &self.session {
            Some(session) if page.session.is_none() => {
                let session = Some(session.clone());
                self.collector.page(&PageContext { session, ..page.clone() })
            }
            _ => self.collector.page(page),
        }
    }

    fn start(
        &self,
        engine: &str,
        selector: SelectorHandle,
        page: Option<PageHandle>,
        operation: OperationKind,
    ) -> OperationSpan {
        // Whatever the thread is in, it is this scope that counts.
        let _entered = self.enter();
        self.collector.span(engine, selector, page, operation)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("session", &self.session)
            .field("correlation_id", &self.correlation)
            .finish_non_exhaustive()
    }
}

/// Whether this thread is in a scope.
#[inline]
pub(crate) fn is_any() -> bool {
    ANY.get()
}

/// What ties an operation to the scope its thread is in.
pub(crate) struct Inherited {
    /// The bits of the scope's id; 0 for none.
    pub(crate) bits: u128,
    /// With an id that is not made of bits.
    pub(crate) cold: Option<Box<Cold>>,
    /// The page, in the scope's session.
    pub(crate) page: Option<u32>,
}

/// What an operation on this page inherits.
#[cold]
#[inline(never)]
pub(crate) fn inherited(page: Option<u32>, shared: &Shared) -> Inherited {
    CURRENT.with_borrow_mut(|current| {
        let Some(current) = current else { return Inherited { bits: 0, cold: None, page } };
        let page = page_in_session(current, page, shared);
        match current.correlation.as_u128() {
            Some(bits) if bits != 0 => Inherited { bits, cold: None, page },
            _ => {
                let correlation = Some(current.correlation.clone());
                let cold = Some(Box::new(Cold { correlation, ..Cold::default() }));
                Inherited { bits: 0, cold, page }
            }
        }
    })
}

/// The page with the scope's session, unless it has one. Looked up once for each page.
fn page_in_session(current: &mut Current, given: Option<u32>, shared: &Shared) -> Option<u32> {
    let Some(session) = &current.session else { return given };
    if let Some(last) = current.last
        && (last.collector, last.given) == (shared.id, given)
        && shared.registry.keeps_page(last.page)
    {
        return Some(last.page);
    }
    let context = match given {
        None => PageContext::default(),
        // A page that was forgotten stays forgotten, so that it is counted.
        Some(handle) => match shared.registry.page_context(handle) {
            Some(context) if context.session.is_none() => (*context).clone(),
            _ => return given,
        },
    };
    let session = Some(shared.privacy.session(session));
    let page = shared.registry.page(PageContext { session, ..context });
    current.last = Some(LastPage { collector: shared.id, given, page });
    Some(page)
}

use super::command::{Command, Kind, Lookup};
use super::reply::{self, Reply};
use super::scope::{Running, Scope};
use super::{Matches, NamedQuery};
use crate::webdriver::{Expectation, Place, Try, Watch, conclude};
use bytes::Bytes;
use http::{Request, Response};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use telemetry_interfaces::SelectorObserver;
use thirtyfour::WebElement;
use thirtyfour::error::WebDriverResult;
use thirtyfour::session::handle::SessionHandle;
use thirtyfour::session::http::{Body, HttpClient};

/// An HTTP client for `thirtyfour` that records every element lookup that passes through it, and
/// passes everything on as it is.
///
/// Give a clone to `WebDriver::builder(..).client(..)` and keep one. Each lookup is an operation of
/// a selector named by its text, until [`operation`](Self::operation) or [`first`](Self::first)
/// gives a name to a whole query with its alternatives.
///
/// The page is known from what the program itself asks for: `goto`, and the answer to
/// `current_url`. After `back`, `forward` or another window it is unknown until then; a link that
/// is clicked leaves it as it was. Nothing is ever asked of the driver to find out more.
pub struct ObservedHttpClient<O> {
    inner: Arc<dyn HttpClient>,
    shared: Arc<Shared<O>>,
}

struct Shared<O> {
    watch: Watch<O>,
    /// Where each session is. Held for a look or a change, never across an `.await`.
    places: Mutex<HashMap<String, Place>>,
}

impl<O: SelectorObserver> ObservedHttpClient<O> {
    /// Watches what passes through `client`.
    pub fn new(client: impl HttpClient, observer: O) -> Self {
        let shared = Shared { watch: Watch::new("thirtyfour", observer), places: Mutex::default() };
        Self { inner: Arc::new(client), shared: Arc::new(shared) }
    }

    /// The observer.
    pub fn observer(&self) -> &O {
        self.shared.watch.observer()
    }

    /// Records everything that `query` looks for by the selector's alternatives as one operation of
    /// the selector: which alternatives were tried, in which order, and how each of them ended.
    /// Polling counts as one try of each alternative. `&driver` will do for `session`.
    ///
    /// An alternative that matched, was examined by other commands and was followed by another
    /// lookup did not meet the query's conditions: `validation_failed`. One that was looked for
    /// although an earlier one had matched, as `any()` does, is recorded as a shadow probe. Lookups
    /// that the selector does not consist of are operations of their own, and so are all lookups of
    /// tasks that `query` spawns. Dropping the future records `cancelled`.
    ///
    /// # Errors
    /// Those of `query`, unchanged.
    pub async fn operation<T, F>(
        &self,
        session: &SessionHandle,
        selector: &NamedQuery,
        query: F,
    ) -> WebDriverResult<T>
    where
        T: Matches,
        F: Future<Output = WebDriverResult<T>>,
    {
        let place = self.shared.place(&session.session_id().to_string());
        let operation = self.shared.watch.named(selector.name(), selector.strategies(), place.page);
        let expectation =
            Expectation { optional: selector.is_optional(), unreached: place.unreached };
        let scope = Scope::new(selector.on_the_wire());
        let running = Running::new(operation, Arc::clone(&scope), expectation);
        let result = scope.enter(query).await;
        running.finish(&result);
        result
    }

    /// The first element that an alternative of the selector matches, by `thirtyfour`'s
    /// `query(..).or(..).first()`, as one operation.
    ///
    /// # Errors
    /// Those of `first()`, unchanged.
    pub async fn first(
        &self,
        session: &Arc<SessionHandle>,
        selector: &NamedQuery,
    ) -> WebDriverResult<WebElement> {
        let query = selector.query(session);
        self.operation(session, selector, query.first()).await
    }

    async fn look_up(&self, session: &str, lookup: Lookup, request: Request<Body<'_>>) -> Reply {
        let scope = Scope::current();
        let strategy = scope.as_ref().and_then(|scope| scope.strategy(&lookup));
        if let (Some(scope), Some(strategy)) = (&scope, strategy) {
            let begun = Instant::now();
            let reply = self.inner.send(request).await;
            scope.looked_up(strategy, begun.elapsed(), reply::answer(&reply));
            return reply;
        }
        let place = self.shared.place(session);
        let operation = self.shared.watch.text(&lookup.using, &lookup.value, place.page);
        let begun = Instant::now();
        let reply = self.inner.send(request).await;
        let attempt = Try::new(0, begun.elapsed(), reply::answer(&reply));
        let expectation = Expectation { optional: false, unreached: place.unreached };
        if let Some(scope) = scope {
            scope.other(attempt.failure.clone());
        }
        conclude(operation, &[attempt], None, None, expectation);
        reply
    }
}

impl<O: SelectorObserver> Shared<O> {
    fn place(&self, session: &str) -> Place {
        self.places.lock().get(session).cloned().unwrap_or_default()
    }

    /// Follows what a command other than a lookup did.
    fn follow(&self, command: Command, reply: &Reply, failed: bool) {
        let Command { session, kind } = command;
        let place = match kind {
            Kind::Navigate(url) => self.watch.place(&url, Some(&session), failed),
            Kind::CurrentUrl => match reply::url(reply) {
                Some(url) if self.place(&session).url.as_ref() != Some(&url) => {
                    self.watch.place(&url, Some(&session), false)
                }
                _ => return,
            },
            Kind::Leave if !failed => Place::default(),
            Kind::Quit => {
                self.places.lock().remove(&session);
                return;
            }
            Kind::Leave | Kind::Lookup(_) | Kind::Other => return,
        };
        self.places.lock().insert(session, place);
    }
}

#[async_trait::async_trait]
impl<O: SelectorObserver + 'static> HttpClient for ObservedHttpClient<O> {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let Some(command) = Command::of(&request) else {
            return self.inner.send(request).await;
        };
        if let Kind::Lookup(lookup) = command.kind {
            return self.look_up(&command.session, lookup, request).await;
        }
        let reply = self.inner.send(request).await;
        let failure = reply::failure(&reply);
        self.shared.follow(command, &reply, failure.is_some());
        if let Some(scope) = Scope::current() {
            scope.other(failure);
        }
        reply
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        let inner = HttpClient::new(&*self.inner).await;
        Arc::new(Self { inner, shared: Arc::clone(&self.shared) })
    }
}

impl<O> Clone for ObservedHttpClient<O> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), shared: Arc::clone(&self.shared) }
    }
}

impl<O> fmt::Debug for ObservedHttpClient<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedHttpClient").finish_non_exhaustive()
    }
}

use super::NamedLocator;
use super::root::{ObservedRoot, Root};
use crate::webdriver::{Place, Watch};
use fantoccini::elements::{Element, ShadowRoot};
use fantoccini::error::CmdError;
use fantoccini::wait::Wait;
use fantoccini::wd::WindowHandle;
use fantoccini::{Client, Locator};
use parking_lot::Mutex;
use std::ops::Deref;
use std::sync::Arc;
use telemetry_interfaces::SelectorObserver;
use url::Url;

/// Puts a `fantoccini` client under observation.
pub trait ObserveClient {
    /// The same session, with every lookup made through the result recorded.
    fn observed<O: SelectorObserver>(&self, observer: O) -> ObservedClient<O>;
}

impl ObserveClient for Client {
    fn observed<O: SelectorObserver>(&self, observer: O) -> ObservedClient<O> {
        ObservedClient {
            client: self.clone(),
            shared: Arc::new(Shared {
                watch: Watch::new("fantoccini", observer),
                place: Mutex::default(),
            }),
        }
    }
}

/// A `fantoccini` client whose lookups are recorded. Everything else is the client's own, to which
/// it dereferences; each method here sends what the client's method of that name sends.
///
/// The page is known from what the program asks for through it: [`goto`](Self::goto) and
/// [`current_url`](Self::current_url). After `back`, `forward` or another window it is unknown
/// until then; a link that is clicked leaves it as it was. Clones share what they know.
#[derive(Debug)]
pub struct ObservedClient<O> {
    client: Client,
    shared: Arc<Shared<O>>,
}

#[derive(Debug)]
struct Shared<O> {
    watch: Watch<O>,
    /// Held for a look or a change, never across an `.await`.
    place: Mutex<Place>,
}

impl<O: SelectorObserver> ObservedClient<O> {
    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The observer.
    pub fn observer(&self) -> &O {
        self.shared.watch.observer()
    }

    /// [`Client::find`], recorded.
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn find(&self, locator: Locator<'_>) -> Result<Element, CmdError> {
        self.page().find(locator).await
    }

    /// [`Client::find_all`], recorded. Finding none is recorded as `not_found`.
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn find_all(&self, locator: Locator<'_>) -> Result<Vec<Element>, CmdError> {
        self.page().find_all(locator).await
    }

    /// The first element by the first locator of the selector that finds one, as one operation.
    ///
    /// # Errors
    /// As [`ObservedRoot::first`].
    pub async fn first(&self, selector: &NamedLocator<'_>) -> Result<Element, CmdError> {
        self.page().first(selector).await
    }

    /// [`Wait::for_element`], recorded as one operation; `wait` is the client's own `wait()`.
    /// Waiting in vain is recorded as `timeout`.
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn wait_for_element(
        &self,
        wait: Wait<'_>,
        locator: Locator<'_>,
    ) -> Result<Element, CmdError> {
        self.page().record(locator, wait.for_element(locator), |_| 1).await
    }

    /// Looks below an element.
    pub fn within<'a>(&'a self, element: &'a Element) -> ObservedRoot<'a, O> {
        self.root(Root::Element(element))
    }

    /// Looks below a shadow root.
    pub fn within_shadow<'a>(&'a self, shadow: &'a ShadowRoot) -> ObservedRoot<'a, O> {
        self.root(Root::Shadow(shadow))
    }

    /// [`Client::goto`]; the lookups that follow take place there.
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged. What is not found afterwards is recorded as
    /// `navigation_failed`.
    pub async fn goto(&self, url: &str) -> Result<(), CmdError> {
        let result = self.client.goto(url).await;
        *self.shared.place.lock() = match self.absolute(url) {
            Some(url) => self.place(url.as_str(), result.is_err()),
            None => Place { unreached: result.is_err(), ..Place::default() },
        };
        result
    }

    /// [`Client::current_url`]; its answer tells where the following lookups take place.
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn current_url(&self) -> Result<Url, CmdError> {
        let result = self.client.current_url().await;
        if let Ok(url) = &result {
            let known = self.shared.place.lock().url.as_deref() == Some(url.as_str());
            if !known {
                let place = self.place(url.as_str(), false);
                *self.shared.place.lock() = place;
            }
        }
        result
    }

    /// [`Client::back`].
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn back(&self) -> Result<(), CmdError> {
        let result = self.client.back().await;
        self.left(&result);
        result
    }

    /// [`Client::forward`].
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn forward(&self) -> Result<(), CmdError> {
        let result = self.client.forward().await;
        self.left(&result);
        result
    }

    /// [`Client::switch_to_window`].
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn switch_to_window(&self, window: WindowHandle) -> Result<(), CmdError> {
        let result = self.client.switch_to_window(window).await;
        self.left(&result);
        result
    }

    /// [`Client::close_window`].
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn close_window(&self) -> Result<(), CmdError> {
        let result = self.client.close_window().await;
        self.left(&result);
        result
    }

    /// [`Client::close`]: ends the session.
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn close(self) -> Result<(), CmdError> {
        self.client.close().await
    }

    fn page(&self) -> ObservedRoot<'_, O> {
        self.root(Root::Page(&self.client))
    }

    fn root<'a>(&'a self, root: Root<'a>) -> ObservedRoot<'a, O> {
        let place = self.shared.place.lock().clone();
        ObservedRoot::new(root, &self.shared.watch, place)
    }

    /// What `fantoccini` makes of a URL relative to the page, as far as the page is known.
    fn absolute(&self, url: &str) -> Option<Url> {
        Url::parse(url).ok().or_else(|| {
            let base = self.shared.place.lock().url.clone()?;
            Url::parse(&base).ok()?.join(url).ok()
        })
    }

    fn place(&self, url: &str, unreached: bool) -> Place {
        let session = self.client.session_creation_response().map(|it| it.session_id());
        self.shared.watch.place(url, session, unreached)
    }

    fn left(&self, result: &Result<(), CmdError>) {
        if result.is_ok() {
            *self.shared.place.lock() = Place::default();
        }
    }
}

impl<O> Clone for ObservedClient<O> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<O> Deref for ObservedClient<O> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

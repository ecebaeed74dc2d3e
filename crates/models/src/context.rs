use crate::{SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where an operation took place. Shared by all operations between two navigations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PageContext {
    /// Browser or scraper session.
    pub session: Option<SessionId>,
    /// Tab, frame or worker within the session.
    pub tab: Option<Arc<str>>,
    /// URL, with secrets already removed.
    pub url: Option<Arc<str>>,
    /// The URL with its variable parts replaced, for instance `/product/{id}`.
    pub url_template: Option<Arc<str>>,
    /// Title of the page.
    pub title: Option<Arc<str>>,
    /// User agent sent to the site.
    pub user_agent: Option<Arc<str>>,
    /// Size of the view.
    pub viewport: Option<Viewport>,
    /// When the page was entered.
    pub entered_at: Option<Timestamp>,
}

impl PageContext {
    /// A page of which only the URL is known.
    pub fn at(url: &str) -> Self {
        Self { url: Some(url.into()), ..Self::default() }
    }

    /// The site: the URL's host and port, without `www.`.
    pub fn site(&self) -> Option<&str> {
        site_of_url(self.url.as_deref()?)
    }
}

/// Size of a view in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Viewport {
    /// Width in CSS pixels.
    pub width: u32,
    /// Height in CSS pixels.
    pub height: u32,
}

/// The site a URL belongs to: host and port, without user information and `www.`.
/// `None` when the text has no `//authority` part.
pub fn site_of_url(url: &str) -> Option<&str> {
    let after = url.split_once("//")?.1;
    let authority = after.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.strip_prefix("www.").unwrap_or(host);
    (!host.is_empty()).then_some(host)
}

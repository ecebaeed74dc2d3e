//! What is removed from URLs and texts before anything is written. Every scan is linear in the
//! text, whatever the text: it comes from web pages.

mod assigned;
mod blocks;
mod card;
mod edits;
mod email;
mod links;
mod template;
mod token;
mod url;

pub use template::url_template;
pub use url::redact_url;

use edits::Marks;
use std::borrow::Cow;

/// Removes secrets from URLs and texts. On by default; see the crate's documentation for what
/// counts as a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    enabled: bool,
    keep_query: Vec<String>,
}

impl Default for Redaction {
    fn default() -> Self {
        Self { enabled: true, keep_query: Vec::new() }
    }
}

impl Redaction {
    /// Keeps the values of the query parameters named, except those of signed URLs; removes
    /// nothing at all unless `enabled`.
    pub fn new(enabled: bool, keep_query: Vec<String>) -> Self {
        Self { enabled, keep_query }
    }

    /// Whether anything is removed.
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// A URL without user information, fragment, query values and secrets in its path. See
    /// [`redact_url`].
    pub fn url<'a>(&self, url: &'a str) -> Cow<'a, str> {
        if self.enabled { redact_url(url, &self.keep_query) } else { Cow::Borrowed(url) }
    }

    /// A text in which every URL is redacted likewise, and keys, tokens, passwords, e-mail
    /// addresses and card numbers are replaced by words in square brackets. Redacting it again
    /// changes nothing.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.enabled || text.len() < SHORTEST {
            return Cow::Borrowed(text);
        }
        let text = blocks::mask(text);
        let text = chain(text, |text| self.urls(text));
        let text = chain(text, assigned::mask);
        let text = chain(text, |text| email::mask(text, &Marks::TEXT));
        let text = chain(text, |text| token::mask(text, token::Care::Full, &Marks::TEXT));
        chain(text, |text| card::mask(text, &Marks::TEXT))
    }

    /// Whether an identifier holds what is known to be a secret: a key of a known form, a JSON web
    /// token, an e-mail address, a card number, a URL with user information. A random identifier is
    /// none.
    pub fn is_secret(&self, identifier: &str) -> bool {
        self.enabled
            && identifier.len() >= SHORTEST
            && (matches!(blocks::mask(identifier), Cow::Owned(_))
                || *self.urls(identifier) != *identifier
                || matches!(assigned::mask(identifier), Cow::Owned(_))
                || matches!(email::mask(identifier, &Marks::TEXT), Cow::Owned(_))
                || matches!(card::mask(identifier, &Marks::TEXT), Cow::Owned(_))
                || matches!(
                    token::mask(identifier, token::Care::KnownForms, &Marks::TEXT),
                    Cow::Owned(_)
                ))
    }

    /// Whether a name says that its value is a secret: `password`, `authorization`, `api_key`, ….
    pub fn is_secret_name(&self, name: &str) -> bool {
        self.enabled && assigned::names_a_secret(name)
    }

    fn urls<'a>(&self, text: &'a str) -> Cow<'a, str> {
        links::mask(text, &self.keep_query)
    }
}

/// No text of fewer bytes holds anything that could be told from an ordinary word.
const SHORTEST: usize = 5;

fn chain<'a>(text: Cow<'a, str>, step: impl Fn(&str) -> Cow<'_, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => step(text),
        Cow::Owned(text) => match step(&text) {
            Cow::Owned(changed) => Cow::Owned(changed),
            Cow::Borrowed(_) => Cow::Owned(text),
        },
    }
}

#[cfg(test)]
mod tests;

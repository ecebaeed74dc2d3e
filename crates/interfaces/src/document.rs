use crate::{BoxFuture, Receipt, Result};

/// Something made to be read later, with a word about it: a report that was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Distinguishes it from every other; the same for every try of the same.
    pub key: String,
    /// What it is, in one line.
    pub title: String,
    /// The most important of it as plain text, some lines.
    pub summary: String,
    /// The name it has as a file.
    pub file_name: String,
    /// Its media type, for instance `text/html; charset=utf-8`.
    pub media_type: String,
    /// The whole of it.
    pub text: String,
}

/// A channel that carries documents: webhook, e-mail.
///
/// Delivery is at least once; a receiver that honours the key sees each once. The caller retries
/// (kind `Unavailable`), the channel does not. Dropping the future cancels the try.
pub trait Courier: Send + Sync {
    /// The channel's name in the configuration.
    fn name(&self) -> &str;

    /// Delivers.
    fn deliver<'a>(&'a self, document: &'a Document) -> BoxFuture<'a, Result<Receipt>>;
}

use crate::{Code, Error, ErrorKind, Result};
use std::fmt;

/// Where secret keys come from: the environment, a file, a key service.
///
/// Asked once per use when something starts, never per event. Giving the same key for the same
/// name in every process is what makes pseudonyms comparable between processes. Nobody retries.
pub trait KeyProvider: Send + Sync {
    /// The key of that name, for instance `pseudonyms`. A provider of a single key may give it for
    /// every name: whoever uses a key derives his own from it.
    ///
    /// # Errors
    /// TEL-004 when there is no such key, or it is too short to be one.
    fn key(&self, name: &str) -> Result<Key>;
}

/// Secret bytes that no debug output shows.
#[derive(Clone)]
pub struct Key(Box<[u8]>);

impl Key {
    /// Fewest bytes of a key. Shorter ones can be found by trying.
    pub const MIN_BYTES: usize = 16;

    /// Takes at least [`MIN_BYTES`](Self::MIN_BYTES) bytes.
    ///
    /// # Errors
    /// TEL-004 when there are fewer.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Self> {
        let bytes = bytes.into();
        if bytes.len() < Self::MIN_BYTES {
            let message =
                format!("a key of {} bytes, expected {} or more", bytes.len(), Self::MIN_BYTES);
            return Err(Error::new(ErrorKind::Invalid, Code::Configuration, message)
                .cure("make one with `head -c 32 /dev/urandom | base64`"));
        }
        Ok(Self(bytes))
    }

    /// The secret.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

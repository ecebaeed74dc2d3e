use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Repr {
    Uuid(u128),
    Text(Arc<str>),
}

/// A UUID in its canonical text form, or any other non-empty text exactly as given.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        ///
        /// Held as 128 bits when it is a UUID in canonical form, as text otherwise; either way the
        /// text that comes out is the text that went in.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Repr);

        impl $name {
            /// From the 128 bits of a UUID.
            pub const fn from_u128(bits: u128) -> Self {
                Self(Repr::Uuid(bits))
            }

            /// From any non-empty text.
            ///
            /// # Errors
            /// When `text` is empty.
            pub fn new(text: &str) -> Result<Self, Invalid> {
                if text.is_empty() {
                    return Err(Invalid::new($field, "an empty text", "a non-empty identifier"));
                }
                Ok(Self(match parse_canonical_uuid(text) {
                    Some(bits) => Repr::Uuid(bits),
                    None => Repr::Text(text.into()),
                }))
            }

            /// The bits, when this is a UUID.
            pub const fn as_u128(&self) -> Option<u128> {
                match self.0 {
                    Repr::Uuid(bits) => Some(bits),
                    Repr::Text(_) => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match &self.0 {
                    Repr::Uuid(bits) => write_uuid(*bits, f),
                    Repr::Text(text) => f.pad(text),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

/// A non-empty name that many events share, cheap to clone.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "Arc<str>", into = "Arc<str>")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a non-empty text.
            ///
            /// # Errors
            /// When the text is empty or blank.
            pub fn new(text: impl Into<Arc<str>>) -> Result<Self, $crate::Invalid> {
                let text = text.into();
                if text.trim().is_empty() {
                    return Err($crate::Invalid::new($field, "an empty text", "a non-empty text"));
                }
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text, shared.
            pub fn shared(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Invalid;
            fn from_str(text: &str) -> Result<Self, $crate::Invalid> {
                Self::new(text)
            }
        }

        impl TryFrom<Arc<str>> for $name {
            type Error = $crate::Invalid;
            fn try_from(text: Arc<str>) -> Result<Self, $crate::Invalid> {
                Self::new(text)
            }
        }

        impl From<$name> for Arc<str> {
            fn from(name: $name) -> Arc<str> {
                name.0
            }
        }
    };
}
pub(crate) use name;

id! {
    /// Identifies one event.
    EventId, "event_id"
}
id! {
    /// Ties together what belongs to one piece of work of the observed program.
    CorrelationId, "correlation_id"
}
name! {
    /// One execution of an observed program. Together with producer and sequence it makes
    /// importing twice harmless.
    RunId, "run_id"
}
name! {
    /// One recorder within a run: a process, or one of several collectors in it.
    ProducerId, "producer_id"
}
name! {
    /// A browser or scraper session.
    SessionId, "context_data.browser_session_id"
}

/// Derives event ids from run, producer and sequence: the same event imported twice gets the same
/// id, and no random numbers are drawn while recording.
///
/// The id is a version-8 UUID (RFC 9562, section 5.8) over the 128-bit FNV-1a hash of run, producer
/// and sequence, mixed so that neighbours differ in every part, the first digits included.
///
/// ```
/// use telemetry_models::{EventIds, ProducerId, RunId};
/// let ids = EventIds::new(&RunId::new("nightly-7")?, &ProducerId::new("worker-1")?);
/// assert_eq!(ids.id(3), ids.id(3));
/// assert_ne!(ids.id(3), ids.id(4));
/// # Ok::<(), telemetry_models::Invalid>(())
/// ```
#[derive(Clone, Debug)]
pub struct EventIds {
    prefix: u128,
    /// The same with four zeros behind it, as the numbers of all but the longest streams begin.
    short_prefix: u128,
}

impl EventIds {
    /// Prepares the part of the hash that run and producer share.
    pub fn new(run: &RunId, producer: &ProducerId) -> Self {
        let mut hash = fnv1a(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, run.as_str().as_bytes());
        hash = fnv1a(hash, &[0]);
        hash = fnv1a(hash, producer.as_str().as_bytes());
        let prefix = fnv1a(hash, &[0]);
        Self { prefix, short_prefix: fnv1a(prefix, &[0; 4]) }
    }

    /// The id of the event with this sequence number.
    pub fn id(&self, sequence: u64) -> EventId {
        let hash = mixed(match u32::try_from(sequence) {
            Ok(short) => fnv1a(self.short_prefix, &short.to_be_bytes()),
            Err(_) => fnv1a(self.prefix, &sequence.to_be_bytes()),
        });
        let version = (hash & !(0xf << 76)) | (0x8 << 76);
        EventId::from_u128((version & !(0b11 << 62)) | (0b10 << 62))
    }
}

/// FNV-1a with 128 bits (Fowler, Noll, Vo; IETF draft-eastlake-fnv).
fn fnv1a(mut hash: u128, bytes: &[u8]) -> u128 {
    for byte in bytes {
        hash ^= u128::from(*byte);
        hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    hash
}

/// Each half through the 64-bit finaliser of MurmurHash3 (Appleby), the lower first into the upper;
/// reversible, so that it loses nothing of the hash.
fn mixed(hash: u128) -> u128 {
    let low = finalised(hash as u64);
    let high = finalised((hash >> 64) as u64 ^ low);
    u128::from(high) << 64 | u128::from(low)
}

fn finalised(mut half: u64) -> u64 {
    half = (half ^ half >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    half = (half ^ half >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    half ^ half >> 33
}

/// Lower-case hexadecimal with hyphens at 8-4-4-4-12, nothing else.
fn parse_canonical_uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut bits = 0u128;
    for (at, byte) in bytes.iter().enumerate() {
        match (at, byte) {
            (8 | 13 | 18 | 23, b'-') => {}
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9') => bits = bits << 4 | u128::from(byte - b'0'),
            (_, b'a'..=b'f') => bits = bits << 4 | u128::from(byte - b'a' + 10),
            _ => return None,
        }
    }
    Some(bits)
}

fn write_uuid(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [b'-'; 36];
    let mut shift = 128;
    for (at, slot) in text.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            shift -= 4;
            *slot = b"0123456789abcdef"[(bits >> shift & 0xf) as usize];
        }
    }
    f.pad(std::str::from_utf8(&text).expect("hexadecimal digits and hyphens are ASCII"))
}

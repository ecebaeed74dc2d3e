use std::fmt;
use std::ops::BitOr;
use telemetry_models::{Event, Quality, Resources, Timing};

/// Which parts of events a query gives: what is not asked for need not be decoded.
///
/// Id, selector, its version, timestamp, operation and outcome are always given. A part that was
/// not asked for is absent from the answer, whichever the backend, also where the event has it.
///
/// ```
/// use telemetry_interfaces::{Parts, Query};
///
/// let query = Query { parts: Parts::TIMING | Parts::PAGE, ..Query::all() };
/// assert!(query.parts.has(Parts::TIMING) && !query.parts.has(Parts::ATTEMPTS));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parts(u16);

impl Parts {
    /// Nothing but what is always given.
    pub const NONE: Self = Self(0);
    /// `correlation_id`.
    pub const CORRELATION: Self = Self(1);
    /// `attempts`.
    pub const ATTEMPTS: Self = Self(1 << 1);
    /// `timing`.
    pub const TIMING: Self = Self(1 << 2);
    /// `resources`.
    pub const RESOURCES: Self = Self(1 << 3);
    /// `quality`.
    pub const QUALITY: Self = Self(1 << 4);
    /// `error`.
    pub const ERROR: Self = Self(1 << 5);
    /// `page`, and with it the site.
    pub const PAGE: Self = Self(1 << 6);
    /// `engine`, `run`, `producer` and `sequence`.
    pub const ORIGIN: Self = Self(1 << 7);
    /// `attributes`.
    pub const ATTRIBUTES: Self = Self(1 << 8);
    /// Everything.
    pub const ALL: Self = Self((1 << 9) - 1);

    const NAMES: [(&'static str, Self); 9] = [
        ("correlation", Self::CORRELATION),
        ("attempts", Self::ATTEMPTS),
        ("timing", Self::TIMING),
        ("resources", Self::RESOURCES),
        ("quality", Self::QUALITY),
        ("error", Self::ERROR),
        ("page", Self::PAGE),
        ("origin", Self::ORIGIN),
        ("attributes", Self::ATTRIBUTES),
    ];

    /// Whether all of these are among them.
    #[inline]
    pub const fn has(self, parts: Self) -> bool {
        self.0 & parts.0 == parts.0
    }

    /// The part of this name, as in `timing`.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(it, _)| *it == name).map(|(_, part)| *part)
    }

    /// The names of all parts.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(name, _)| *name)
    }

    /// Takes away what was not asked for.
    pub fn keep(self, event: &mut Event) {
        if self == Self::ALL {
            return;
        }
        let lacks = |part| !self.has(part);
        if lacks(Self::CORRELATION) {
            event.correlation_id = None;
        }
        if lacks(Self::ATTEMPTS) {
            event.attempts = Vec::new();
        }
        if lacks(Self::TIMING) {
            event.timing = Timing::default();
        }
        if lacks(Self::RESOURCES) {
            event.resources = Resources::default();
        }
        if lacks(Self::QUALITY) {
            event.quality = Quality::default();
        }
        if lacks(Self::ERROR) {
            event.error = None;
        }
        if lacks(Self::PAGE) {
            event.page = None;
        }
        if lacks(Self::ORIGIN) {
            (event.engine, event.run, event.producer, event.sequence) = (None, None, None, None);
        }
        if lacks(Self::ATTRIBUTES) {
            event.attributes = Default::default();
        }
    }
}

/// Everything.
impl Default for Parts {
    fn default() -> Self {
        Self::ALL
    }
}

impl BitOr for Parts {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(Self::NAMES.iter().filter(|(_, part)| self.has(*part)).map(|(name, _)| name))
            .finish()
    }
}

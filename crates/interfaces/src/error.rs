use std::fmt;
use telemetry_models::Invalid;

/// The result of every fallible call across a seam.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input is wrong: correct it.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// Not now: try again later.
    Unavailable,
    /// Stored data is damaged: verify and repair the store.
    Corrupt,
    /// The component was shut down.
    Closed,
    /// This build or backend cannot do it: enable a feature or choose another backend.
    Unsupported,
    /// Not allowed.
    Denied,
    /// A fault of this program.
    Internal,
}

/// The stable codes of the original contract. `docs/errors.md` lists cause and cure of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// TEL-001: storage unavailable.
    StorageUnavailable,
    /// TEL-002: buffer overflow.
    BufferOverflow,
    /// TEL-003: invalid event data.
    InvalidEvent,
    /// TEL-004: configuration error.
    Configuration,
    /// TEL-005: processing failure.
    Processing,
    /// TEL-006: alert system overload.
    AlertOverload,
    /// TEL-007: data corruption detected.
    Corruption,
    /// TEL-008: performance threshold exceeded.
    Performance,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 8] = [
        Self::StorageUnavailable,
        Self::BufferOverflow,
        Self::InvalidEvent,
        Self::Configuration,
        Self::Processing,
        Self::AlertOverload,
        Self::Corruption,
        Self::Performance,
    ];

    /// Its text, for instance `TEL-001`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StorageUnavailable => "TEL-001",
            Self::BufferOverflow => "TEL-002",
            Self::InvalidEvent => "TEL-003",
            Self::Configuration => "TEL-004",
            Self::Processing => "TEL-005",
            Self::AlertOverload => "TEL-006",
            Self::Corruption => "TEL-007",
            Self::Performance => "TEL-008",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The one error of the workspace: a kind, a stable code, a message, context, a cure, a source.
///
/// `Display` gives the whole on one line: `TEL-004 message (key: value) — cure: source`.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Code,
    message: String,
    context: Vec<(&'static str, String)>,
    cure: Option<String>,
    source: Option<Source>,
}

impl Error {
    /// An error that says what was expected and what was found.
    pub fn new(kind: ErrorKind, code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code,
            message: message.into(),
            context: Vec::new(),
            cure: None,
            source: None,
        }))
    }

    /// Adds where: a file, a position, a key.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn cure(mut self, cure: impl Into<String>) -> Self {
        self.0.cure = Some(cure.into());
        self
    }

    /// Adds the error this one comes from.
    #[must_use]
    pub fn source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message alone.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where: key and value pairs.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// What to do next, when known.
    pub fn what_to_do(&self) -> Option<&str> {
        self.0.cure.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.code, self.0.message)?;
        for (at, (key, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{key}: {value}", if at == 0 { " (" } else { ", " })?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        if let Some(cure) = &self.0.cure {
            write!(f, " — {cure}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::new(
            ErrorKind::Invalid,
            Code::InvalidEvent,
            format!("found {}, expected {}", invalid.found, invalid.expected),
        )
        .with("field", invalid.field)
    }
}

use std::fmt;

/// Why a query could not be compiled or evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The text is not a selector of its kind; retrying cannot help.
    Invalid(String),
    /// The selector is valid but could not be evaluated on this document.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(message) => write!(f, "invalid selector: {message}"),
            Self::Failed(message) => write!(f, "evaluation failed: {message}"),
        }
    }
}

impl std::error::Error for Error {}

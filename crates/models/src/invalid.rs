use std::fmt;

/// A value that the model refuses: which field, what was found, what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the field in the JSON form, for instance `quality_metrics.confidence_score`.
    pub field: String,
    /// What was found, shortened to 120 characters.
    pub found: String,
    /// What would have been accepted.
    pub expected: String,
}

impl Invalid {
    /// Builds the error; `found` is cut after 120 characters.
    pub fn new(
        field: impl Into<String>,
        found: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        let mut found = found.to_string();
        if let Some((cut, _)) = found.char_indices().nth(120) {
            found.truncate(cut);
            found.push('…');
        }
        Self { field: field.into(), found, expected: expected.into() }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.field, self.found, self.expected)
    }
}

impl std::error::Error for Invalid {}

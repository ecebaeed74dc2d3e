use crate::Invalid;
use std::fmt;

/// Why a text is not an event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReadError {
    /// What is wrong with it.
    pub kind: ReadErrorKind,
    /// Path of the field, for instance `attempts[2].duration_ms`; empty when the text as a whole
    /// is wrong.
    pub field: String,
    /// What was found.
    pub found: String,
    /// What would have been accepted.
    pub expected: String,
    /// What to do next.
    pub cure: &'static str,
    /// Line (from 1) and column (from 1) within the text, where known.
    pub position: Option<(u32, u32)>,
}

/// What is wrong with a text that is not an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// Not UTF-8.
    Encoding,
    /// Not JSON, or cut off.
    Syntax,
    /// Written by a newer version of this software.
    Version,
    /// A required key is missing.
    Missing,
    /// A key that the form does not have.
    UnknownKey,
    /// A key given twice.
    DuplicateKey,
    /// A value of the wrong type or out of its range.
    Value,
    /// A value that contradicts the rest of the event.
    Contradiction,
}

impl ReadError {
    pub(super) fn new(
        kind: ReadErrorKind,
        field: impl Into<String>,
        found: impl fmt::Display,
        expected: impl Into<String>,
        cure: &'static str,
    ) -> Self {
        let Invalid { field, found, expected } = Invalid::new(field, found, expected);
        Self { kind, field, found, expected, cure, position: None }
    }

    pub(super) fn value(
        field: impl Into<String>,
        found: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self::new(
            ReadErrorKind::Value,
            field,
            found,
            expected,
            "correct the value, or leave the key out when it was not measured",
        )
    }

    pub(super) fn missing(field: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::new(ReadErrorKind::Missing, field, "nothing", expected, "add the key")
    }

    pub(super) fn contradiction(
        field: impl Into<String>,
        found: impl fmt::Display,
        expected: impl Into<String>,
        because: &str,
    ) -> Self {
        Self::new(
            ReadErrorKind::Contradiction,
            field,
            found,
            format!("{}, because {because}", expected.into()),
            "correct one of the two, or leave the summary out: it is computed when reading",
        )
    }

    pub(super) fn syntax(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let found = text.split(" at line ").next().unwrap_or(&text);
        Self {
            position: (error.line() > 0).then(|| (narrow(error.line()), narrow(error.column()))),
            ..Self::new(
                ReadErrorKind::Syntax,
                "",
                found,
                "one JSON object",
                "check whether the line is cut off or is something else than an event",
            )
        }
    }

    pub(super) fn encoding(bytes: &[u8], error: &std::str::Utf8Error) -> Self {
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        Self::new(
            ReadErrorKind::Encoding,
            "",
            format_args!("byte 0x{byte:02x} at offset {offset}"),
            "UTF-8",
            "convert the text to UTF-8",
        )
    }

    /// The same error about another field, for values whose type does not know where they stand.
    pub(super) fn invalid_at(field: impl Into<String>, invalid: Invalid) -> Self {
        Self::value(field, invalid.found, invalid.expected)
    }
}

fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

impl From<Invalid> for ReadError {
    fn from(invalid: Invalid) -> Self {
        Self::value(invalid.field, invalid.found, invalid.expected)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "found {}", self.found)?;
        if let Some((line, column)) = self.position {
            write!(f, " at line {line} column {column}")?;
        }
        write!(f, ", expected {}; {}", self.expected, self.cure)
    }
}

impl std::error::Error for ReadError {}

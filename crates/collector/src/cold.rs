use crate::facts::Facts;
use telemetry_interfaces::AttemptRecord;
use telemetry_models::CorrelationId;

/// What does not fit into a record: errors, many attempts, shadow probes, foreign ids,
/// phases, counters.
///
/// Lies beside its record in the chunk and shares its fate: it has no queue of its own that could
/// be full when the record's is not.
#[derive(Debug, Default)]
pub(crate) struct Cold {
    pub(crate) error: Option<ColdError>,
    /// Attempts after the inline ones, in order.
    pub(crate) attempts: Vec<AttemptRecord>,
    pub(crate) correlation: Option<CorrelationId>,
    pub(crate) attributes: Vec<(Box<str>, Box<str>)>,
    pub(crate) facts: Facts,
}

#[derive(Debug)]
pub(crate) struct ColdError {
    pub(crate) kind: Box<str>,
    pub(crate) message: Box<str>,
}

/// Longest error message that is kept, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 4_096;

/// The text up to `limit` bytes, cut at a character boundary.
pub(crate) fn shorten(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

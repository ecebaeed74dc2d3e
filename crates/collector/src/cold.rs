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
    pub(crate) attributes: Vec<(Box<str>, Excerpt)>,
    pub(crate) facts: Facts,
}

#[derive(Debug)]
pub(crate) struct ColdError {
    pub(crate) kind: Excerpt,
    pub(crate) message: Excerpt,
}

/// Longest error message that is kept, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 4_096;

/// Longest kind of error that is kept, in bytes.
pub(crate) const KIND_BYTES: usize = 128;

/// How much more of a text is taken along until its secrets are masked.
const MARGIN: usize = 1_024;

/// A text that may be too long to keep. Cut at once, a secret across the cut would not be known for
/// one any more; so some more of it is taken along, and cut off once secrets are masked.
#[derive(Debug)]
pub(crate) struct Excerpt {
    text: Box<str>,
    limit: usize,
    /// Whether the text goes on.
    cut: bool,
}

impl Excerpt {
    /// What is needed of a text of which `limit` bytes are kept.
    pub(crate) fn new(text: &str, limit: usize) -> Self {
        let taken = shorten(text, limit + MARGIN);
        Self { text: taken.into(), limit, cut: taken.len() < text.len() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Of the text without secrets, what is kept. The end of a text that went on may be the
    /// beginning of a secret, which nothing tells: as much as was taken along goes.
    pub(crate) fn keep<'a>(&self, masked: &'a str) -> &'a str {
        let whole = if self.cut { masked.len().saturating_sub(MARGIN) } else { masked.len() };
        let kept = shorten(masked, whole.min(self.limit));
        if kept.trim().is_empty() && !masked.trim().is_empty() { "[cut]" } else { kept }
    }
}

/// The text up to `limit` bytes, cut at a character boundary.
fn shorten(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

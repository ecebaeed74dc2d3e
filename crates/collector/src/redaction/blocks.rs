use super::edits::Edits;
use std::borrow::Cow;

/// Replaces private keys in PEM form (RFC 7468), also ones that were cut off.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    const BEGIN: &str = "-----BEGIN ";
    const END: &str = "-----END ";
    let mut edits = Edits::new(text);
    let mut from = 0;
    while let Some(at) = text[from..].find(BEGIN) {
        let start = from + at;
        let label = start + BEGIN.len();
        let body = text[label..].find("-----").map_or(text.len(), |at| label + at + 5);
        from = body;
        if !text[label..body].contains("PRIVATE KEY") {
            continue;
        }
        let end = text[body..].find(END).map_or(text.len(), |at| {
            let label = body + at + END.len();
            text[label..].find("-----").map_or(text.len(), |at| label + at + 5)
        });
        edits.replace(start, end, "[private key]");
        from = end;
    }
    edits.done()
}

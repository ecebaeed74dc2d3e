use super::edits::{Edits, Marks};
use std::borrow::Cow;

/// Replaces e-mail addresses (the usual part of RFC 5322's), also with `@` written as `%40`.
pub(crate) fn mask<'a>(text: &'a str, marks: &Marks) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    let mut edits = Edits::new(text);
    // Where the search to the left must stop: behind the last address or the last `@`.
    let mut floor = 0;
    let mut at = 0;
    while at < bytes.len() {
        let sign = match bytes[at] {
            b'@' => 1,
            b'%' if bytes[at..].starts_with(b"%40") => 3,
            _ => {
                at += 1;
                continue;
            }
        };
        let mut start = at;
        while start > floor && is_local(bytes[start - 1]) {
            start -= 1;
        }
        let mut end = at + sign;
        while end < bytes.len() && is_domain(bytes[end]) {
            end += 1;
        }
        let domain = trim_end(&bytes[at + sign..end]);
        if start < at && is_host(domain) {
            end = at + sign + domain.len();
            edits.replace(start, end, marks.email);
            floor = end;
            at = end;
        } else {
            at += sign;
            floor = at;
        }
    }
    edits.done()
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')
}

fn trim_end(mut domain: &[u8]) -> &[u8] {
    while let [rest @ .., b'.' | b'-'] = domain {
        domain = rest;
    }
    domain
}

/// A host with a top-level domain, and not the `2x.png` of an image for dense screens.
fn is_host(domain: &[u8]) -> bool {
    let Some(dot) = domain.iter().rposition(|byte| *byte == b'.') else { return false };
    let (labels, top) = (&domain[..dot], &domain[dot + 1..]);
    let image = matches!(labels, [b'1'..=b'9', b'x' | b'X', ..]) && labels.len() == 2;
    !labels.is_empty() && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic) && !image
}

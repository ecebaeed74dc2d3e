use super::edits::{Marks, REDACTED};
use super::{card, email, token};
use std::borrow::Cow;

/// Parameters that grant access; kept under no configuration. Of Azure, AWS, Google Cloud,
/// CloudFront, Alibaba, Tencent and Akamai.
const SIGNATURES: [&str; 19] = [
    "sig",
    "signature",
    "policy",
    "key-pair-id",
    "hmac",
    "x-goog-signature",
    "x-goog-credential",
    "googleaccessid",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
    "awsaccesskeyid",
    "x-oss-signature",
    "x-oss-credential",
    "ossaccesskeyid",
    "q-signature",
    "hdnts",
    "hdnea",
    "__token__",
];

/// Removes user information and fragment, replaces each query value and path parameter by
/// `REDACTED` unless its name is in `keep`, and replaces secrets within the path: keys and tokens,
/// e-mail addresses, card numbers. Parameters of signed URLs are never kept; of a `data:` URL only
/// the media type is. Works on the text, so that a URL that does not parse is covered too.
///
/// ```
/// use telemetry_collector::redact_url;
/// assert_eq!(
///     redact_url("https://me:secret@shop.test/p/7?page=2&token=abc#top", &["page".into()]),
///     "https://shop.test/p/7?page=2&token=REDACTED",
/// );
/// assert_eq!(
///     redact_url("https://shop.test/unsubscribe/me@mail.test", &[]),
///     "https://shop.test/unsubscribe/REDACTED",
/// );
/// ```
pub fn redact_url<'a>(url: &'a str, keep: &[String]) -> Cow<'a, str> {
    if let Some(("data", rest)) = url.split_once(':') {
        let media = rest.split([',', ';']).next().unwrap_or_default();
        return Cow::Owned(format!("data:{media},{REDACTED}"));
    }
    let without_fragment = url.split('#').next().unwrap_or(url);
    let (head, query) = match without_fragment.split_once('?') {
        Some((head, query)) => (head, Some(query)),
        None => (without_fragment, None),
    };
    let (start, end) = authority(head);
    let host_start = head[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let host = token::mask(&head[host_start..end], token::Care::KnownForms, &Marks::URL);
    let path = path(&head[end..], keep);
    let clean = host_start == start
        && query.is_none()
        && without_fragment.len() == url.len()
        && matches!((&host, &path), (Cow::Borrowed(_), Cow::Borrowed(_)));
    if clean {
        return Cow::Borrowed(url);
    }
    let mut out = String::with_capacity(url.len());
    out.push_str(&head[..start]);
    out.push_str(&host);
    out.push_str(&path);
    if let Some(query) = query {
        out.push('?');
        for pair in query.split_inclusive(['&', ';']) {
            let body = pair.trim_end_matches(['&', ';']);
            parameter(body, keep, &mut out);
            out.push_str(&pair[body.len()..]);
        }
    }
    Cow::Owned(out)
}

/// Where user information, host and port stand. Without `//` only what ends in `@` counts.
fn authority(head: &str) -> (usize, usize) {
    let slashes = head.find("//").filter(|at| *at == 0 || head[..*at].ends_with(':'));
    let start = slashes.map_or(0, |at| at + 2);
    let length = head[start..].find(['/', '\\']).unwrap_or(head.len() - start);
    if slashes.is_some() {
        return (start, start + length);
    }
    let colon = head[..length].find(':').map_or(0, |at| at + 1);
    match head[..length].rfind('@') {
        Some(sign) if head[..colon].eq_ignore_ascii_case("mailto:") => (colon, sign + 1),
        Some(sign) => (0, sign + 1),
        None => (0, 0),
    }
}

/// The path without secrets and without the values of its parameters (`;jsessionid=…`).
fn path<'a>(path: &'a str, keep: &[String]) -> Cow<'a, str> {
    let path = match path.split_once(';') {
        None => Cow::Borrowed(path),
        Some(_) => {
            let mut out = String::with_capacity(path.len());
            for piece in path.split_inclusive(['/', ';']) {
                let body = piece.trim_end_matches(['/', ';']);
                if out.ends_with(';') {
                    parameter(body, keep, &mut out);
                } else {
                    out.push_str(body);
                }
                out.push_str(&piece[body.len()..]);
            }
            Cow::Owned(out)
        }
    };
    let path = super::chain(path, |path| email::mask(path, &Marks::URL));
    let path = super::chain(path, segments);
    super::chain(path, |path| card::mask(path, &Marks::URL))
}

/// Each segment by itself: two of them together are no token.
fn segments(path: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut changed = false;
    for segment in path.split_inclusive('/') {
        let body = segment.strip_suffix('/').unwrap_or(segment);
        let masked = token::mask(body, token::Care::Full, &Marks::URL);
        changed |= matches!(masked, Cow::Owned(_));
        out.push_str(&masked);
        out.push_str(&segment[body.len()..]);
    }
    if changed { Cow::Owned(out) } else { Cow::Borrowed(path) }
}

fn parameter(pair: &str, keep: &[String], out: &mut String) {
    match pair.split_once('=') {
        Some((name, value)) => {
            // A name may be the secret itself, as may a value that is kept.
            out.push_str(&token::mask(name, token::Care::Full, &Marks::URL));
            out.push('=');
            if is_kept(name, keep) {
                let value = email::mask(value, &Marks::URL);
                out.push_str(&super::chain(value, |value| {
                    token::mask(value, token::Care::Full, &Marks::URL)
                }));
            } else {
                out.push_str(REDACTED);
            }
        }
        None if pair.is_empty() => {}
        // A value without a name.
        None => out.push_str(REDACTED),
    }
}

fn is_kept(name: &str, keep: &[String]) -> bool {
    let plain = decoded(name);
    let signed = SIGNATURES.iter().any(|it| plain.eq_ignore_ascii_case(it.as_bytes()));
    !signed && keep.iter().any(|it| it == name)
}

/// Without percent-encoding (RFC 3986, section 2.1), which could hide a name.
fn decoded(name: &str) -> Vec<u8> {
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

use super::edits::{Marks, REDACTED};
use super::{card, email, token};
use std::borrow::Cow;

/// Parameters that grant access; kept under no configuration. Of Azure, AWS, Google Cloud,
/// CloudFront, Alibaba, Tencent, Akamai, BunnyCDN and nginx.
const SIGNATURES: [&str; 30] = [
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
    "__gda__",
    "token",
    "sign",
    "auth_key",
    "md5",
    "q-ak",
    "q-key-time",
    "q-sign-time",
    "urlprefix",
    "verify",
    "st",
];
/// How the names of others end.
const SIGNATURE_ENDINGS: [&str; 5] =
    ["signature", "security-token", "securitytoken", "credential", "accesskeyid"];

/// Schemes whose URLs have a host whatever slashes follow the colon (WHATWG URL, special schemes).
const SPECIAL: [&str; 5] = ["http", "https", "ws", "wss", "ftp"];

/// How deep a URL within a parameter of a URL is looked into; below that it is removed.
const DEPTH: u8 = 4;

/// Removes user information and fragment, replaces each query value and path parameter by
/// `REDACTED` unless its name is in `keep` (a URL in a value that is kept is redacted likewise), and
/// replaces secrets within the path: keys and tokens,
/// e-mail addresses, card numbers. Parameters of signed URLs are never kept; of a `data:` URL only
/// the media type is, of a `javascript:` URL nothing. Works on the text, so that a URL that does not parse is covered too.
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
    redact_within(url, keep, 0)
}

fn redact_within<'a>(url: &'a str, keep: &[String], depth: u8) -> Cow<'a, str> {
    if let Some((scheme, rest)) = url.split_once(':')
        && let scheme = scheme.trim()
        && (scheme.eq_ignore_ascii_case("data") || scheme.eq_ignore_ascii_case("javascript"))
    {
        if scheme.len() > 4 {
            return Cow::Owned(format!("javascript:{REDACTED}"));
        }
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
    let path = path(&head[end..], keep, depth);
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
            parameter(body, keep, depth, &mut out);
            out.push_str(&pair[body.len()..]);
        }
    }
    Cow::Owned(out)
}

/// Where user information, host and port stand. Without `//` only what ends in `@` counts.
fn authority(head: &str) -> (usize, usize) {
    let slashes = behind_slashes(head);
    let start = slashes.unwrap_or(0);
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

/// Where the host or what stands before it begins, in a URL that says so by slashes.
fn behind_slashes(head: &str) -> Option<usize> {
    let count = |from: usize| {
        head.as_bytes()[from..].iter().take_while(|byte| matches!(byte, b'/' | b'\\')).count()
    };
    if count(0) >= 2 {
        return Some(2);
    }
    head.match_indices(':').find_map(|(colon, _)| {
        let slashes = count(colon + 1);
        let scheme = head[..colon].rsplit(|c: char| !c.is_ascii_alphanumeric()).next();
        let special =
            SPECIAL.iter().any(|it| scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(it)));
        match slashes {
            0 => None,
            _ if special => Some(colon + 1 + slashes),
            1 => None,
            _ => Some(colon + 3),
        }
    })
}

/// The path without secrets and without the values of its parameters (`;jsessionid=…`).
fn path<'a>(path: &'a str, keep: &[String], depth: u8) -> Cow<'a, str> {
    let path = match path.split_once(';') {
        None => Cow::Borrowed(path),
        Some(_) => {
            let mut out = String::with_capacity(path.len());
            for piece in path.split_inclusive(['/', ';']) {
                let body = piece.trim_end_matches(['/', ';']);
                if out.ends_with(';') {
                    parameter(body, keep, depth, &mut out);
                } else {
                    out.push_str(body);
                }
                out.push_str(&piece[body.len()..]);
            }
            Cow::Owned(out)
        }
    };
    let path = super::chain(path, encoded_query);
    let path = super::chain(path, |path| email::mask(path, &Marks::URL));
    let path = super::chain(path, segments);
    super::chain(path, |path| card::mask(path, &Marks::URL))
}

/// A query behind a question mark that is percent-encoded: names and values cannot be told apart.
fn encoded_query(path: &str) -> Cow<'_, str> {
    let mark = path.match_indices("%3").find_map(|(at, _)| {
        path.get(at + 2..at + 3).filter(|digit| digit.eq_ignore_ascii_case("f")).map(|_| at + 3)
    });
    match mark {
        Some(behind) if path[behind..] != *REDACTED && behind < path.len() => {
            Cow::Owned(format!("{}{REDACTED}", &path[..behind]))
        }
        _ => Cow::Borrowed(path),
    }
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

fn parameter(pair: &str, keep: &[String], depth: u8, out: &mut String) {
    match pair.split_once('=') {
        Some((name, value)) => {
            // A name may be the secret itself, as may a value that is kept.
            out.push_str(&token::mask(name, token::Care::Full, &Marks::URL));
            out.push('=');
            if is_kept(name, keep) {
                let value = nested(value, keep, depth);
                let value = super::chain(value, |value| email::mask(value, &Marks::URL));
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

/// A value that is kept: when it holds a URL, that is redacted too, and encoded again as it was.
fn nested<'a>(value: &'a str, keep: &[String], depth: u8) -> Cow<'a, str> {
    let plain = decoded(value);
    let Ok(plain) = std::str::from_utf8(&plain) else { return REDACTED.into() };
    let open = plain.contains(['/', '\\', '?', ':']);
    // Encoded twice, it may hide a URL all the same.
    if !open && (plain == value || !plain.contains('%')) {
        return Cow::Borrowed(value);
    }
    if depth >= DEPTH {
        return REDACTED.into();
    }
    let redacted = match open {
        true => redact_within(plain, keep, depth + 1),
        false => nested(plain, keep, depth + 1),
    };
    if *redacted == *plain {
        Cow::Borrowed(value)
    } else if plain == value {
        redacted.into_owned().into()
    } else {
        encoded(&redacted).into()
    }
}

fn is_kept(name: &str, keep: &[String]) -> bool {
    if !keep.iter().any(|it| it == name) {
        return false;
    }
    let plain = decoded(name).trim_ascii().to_ascii_lowercase();
    let signed = SIGNATURES.iter().any(|it| plain == it.as_bytes())
        || SIGNATURE_ENDINGS.iter().any(|it| plain.ends_with(it.as_bytes()));
    !signed
}

/// Percent-encoded but for what RFC 3986, section 2.3, calls unreserved.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
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

use super::edits::{Edits, REDACTED};
use std::borrow::Cow;

/// Replaces values that stand beside a name that gives them away: `password=…`,
/// `"api_key": "…"`, `Authorization: …`, `Cookie: …`, and what follows `Bearer` and `Basic`.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut edits = Edits::new(text);
    let mut at = 0;
    while at < bytes.len() {
        let found = match bytes[at] {
            b'=' | b':' => assignment(text, at),
            b'B' | b'b' => credentials(text, at),
            _ => None,
        };
        match found {
            Some((start, end)) => {
                edits.replace(start, end, MARK);
                at = end;
            }
            None => at += 1,
        }
    }
    edits.done()
}

/// Whether a value of this name is a secret, whatever it is.
pub(crate) fn names_a_secret(name: &str) -> bool {
    let name = normal(name.as_bytes());
    matches!(meaning(&name), Some(Meaning::Secret | Meaning::Authorization | Meaning::Cookie))
        || ends_with_any(&name, &MAYBE[..4])
}

const MARK: &str = "[secret]";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Secret,
    /// A secret when it looks like one.
    Maybe,
    Authorization,
    Cookie,
}

/// Endings of names in small letters, without `-` and `_`.
const SECRET: [&str; 26] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "accountkey",
    "sharedaccesskey",
    "accesskeyid",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "bearertoken",
    "sessiontoken",
    "csrftoken",
    "xsrftoken",
    "apitoken",
    "sessionid",
    "jsessionid",
    "phpsessid",
    "cvv",
    "cvc",
];
const MAYBE: [&str; 11] = [
    "token",
    "credential",
    "credentials",
    "auth",
    "session",
    "sid",
    "key",
    "otp",
    "pin",
    "signature",
    "sig",
];

fn meaning(name: &[u8]) -> Option<Meaning> {
    if name.ends_with(b"authorization") {
        Some(Meaning::Authorization)
    } else if name.ends_with(b"cookie") {
        Some(Meaning::Cookie)
    } else if ends_with_any(name, &SECRET) {
        Some(Meaning::Secret)
    } else {
        ends_with_any(name, &MAYBE).then_some(Meaning::Maybe)
    }
}

fn ends_with_any(name: &[u8], endings: &[&str]) -> bool {
    endings.iter().any(|ending| name.ends_with(ending.as_bytes()))
}

fn normal(name: &[u8]) -> Vec<u8> {
    let kept = name.iter().filter(|byte| !matches!(byte, b'-' | b'_'));
    kept.map(u8::to_ascii_lowercase).collect()
}

/// The value behind the sign at `at`, when the name before it says that it is a secret.
fn assignment(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let is = |at: usize, byte: u8| bytes.get(at) == Some(&byte);
    let colon = is(at, b':');
    if colon && (is(at + 1, b':') || at > 0 && is(at - 1, b':')) || bytes[at..].starts_with(b"://")
    {
        return None;
    }
    let (name, quoted) = name_before(bytes, at)?;
    let meaning = meaning(&normal(name))?;

    let mut start = at + 1;
    start += count(bytes, start, 2, |byte| matches!(byte, b'=' | b'>'));
    let spaces = count(bytes, start, 4, |byte| matches!(byte, b' ' | b'\t'));
    start += spaces;
    let escaped = count(bytes, start, 1, |byte| byte == b'\\');
    start += escaped;
    let quote = bytes.get(start).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    start += usize::from(quote.is_some());

    let rest = bytes.get(start..).unwrap_or_default();
    let line = |rest: &[u8]| value_length(rest, quote, escaped > 0, |byte| b"\n\r".contains(&byte));
    if meaning == Meaning::Cookie {
        // `Cookie: name=value`; a selector for a cookie banner is none.
        let pair = count(bytes, start, 128, is_name);
        let cookie = pair > 0 && is(start + pair, b'=');
        return cookie.then(|| whole(text, start, start + line(rest))).flatten();
    }
    if meaning == Meaning::Authorization {
        let scheme = count(bytes, start, 32, is_name);
        let scheme = if scheme > 0 && is(start + scheme, b' ') { scheme + 1 } else { 0 };
        return whole(text, start + scheme, start + line(rest));
    }
    let value = |rest: &[u8]| match quote {
        Some(_) => line(rest),
        None => value_length(rest, None, false, |byte| {
            byte.is_ascii_whitespace() || b"&;,)]}>\"'`|".contains(&byte)
        }),
    };
    // Looked at for the decision; the end is searched only for what will be replaced.
    let shown = &rest[..rest.len().min(SHOWN)];
    let shown = &shown[..value(shown)];
    // `#password:focus` and `.token:not(…)` are selectors.
    let pseudo_class = colon && spaces == 0 && quote.is_none() && !quoted;
    let word = shown.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'-');
    if pseudo_class && (word || shown.contains(&b'(')) {
        return None;
    }
    let telling = shown.len() >= 8
        && shown.iter().any(u8::is_ascii_digit)
        && shown.iter().any(u8::is_ascii_alphabetic);
    let secret = meaning == Meaning::Secret || telling;
    secret.then(|| whole(text, start, start + value(rest))).flatten()
}

/// Length of a value up to its closing quote, or else up to where it `stops`.
fn value_length(
    rest: &[u8],
    quote: Option<u8>,
    escaped: bool,
    stops: impl Fn(u8) -> bool,
) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            b'\\' if escaped && rest.get(at + 1).copied() == quote => return at,
            // What is escaped within quotes does not close them.
            b'\\' if quote.is_some() && !escaped => at += 2,
            byte if Some(byte) == quote || stops(byte) => return at,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Bytes of a value that are looked at to decide whether it is a secret.
const SHOWN: usize = 256;

/// The value, unless it is nothing or has been replaced already.
fn whole(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let value = text.get(start..end)?;
    let cut_mark = value.starts_with('[') && text[end..].starts_with(']');
    let is_mark = |value: &str| matches!(value, "[secret]" | "[token]" | "[email]" | "[card]");
    let replaced = value == REDACTED
        || is_mark(value)
        || cut_mark && is_mark(&text[start..=end])
        || value == "[private key]";
    (!value.is_empty() && !replaced).then_some((start, end))
}

/// The name that ends before `at`, with an operator, a bracket or a quote between at most, and
/// whether it was quoted.
fn name_before(bytes: &[u8], at: usize) -> Option<(&[u8], bool)> {
    let mut end = at;
    let mut quoted = false;
    while end > 0 && at - end < 4 && b" \t\\\"'^*~$|!]".contains(&bytes[end - 1]) {
        end -= 1;
        quoted |= matches!(bytes[end], b'"' | b'\'');
    }
    let mut start = end;
    while start > 0 && end - start < 64 && is_name(bytes[start - 1]) {
        start -= 1;
    }
    (start < end).then(|| (&bytes[start..end], quoted))
}

/// What follows `Bearer` (RFC 6750) and `Basic` (RFC 7617), unless it is an ordinary word.
fn credentials(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    if at > 0 && is_name(bytes[at - 1]) {
        return None;
    }
    let scheme = |word: &[u8]| {
        let end = at + word.len();
        bytes.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(word)).then_some(end)
    };
    let (end, bearer) = match (scheme(b"bearer"), scheme(b"basic")) {
        (Some(end), _) => (end, true),
        (None, Some(end)) => (end, false),
        (None, None) => return None,
    };
    let spaces = count(bytes, end, 4, |byte| matches!(byte, b' ' | b'\t'));
    let start = end + spaces;
    let length = count(bytes, start, usize::MAX, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
    });
    let value = &bytes[start..start + length];
    let digit = value.iter().any(u8::is_ascii_digit);
    let mixed = value.iter().skip(1).any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase);
    let secret = digit || mixed || value.ends_with(b"=") || bearer && length >= 20;
    (spaces > 0 && length >= 6 && secret).then_some((start, start + length))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn count(bytes: &[u8], from: usize, most: usize, is: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().take(most).take_while(|byte| is(**byte)).count()
}

use super::url::redact_url;
use std::borrow::Cow;

/// Longest stretch within quotes that is looked at for the end of a URL with blanks in it.
const QUOTED: usize = 512;

/// Redacts every URL within a text: with a scheme; with user information and no scheme
/// (`//me:pw@shop.test/`); as JSON writes it, with `\/` for `/`; and queries without a host
/// (`/login?code=…`, `login?code=…`).
pub(super) fn mask<'a>(text: &'a str, keep: &[String]) -> Cow<'a, str> {
    let text = absolute(text, keep);
    super::chain(text, |text| queries(text, keep))
}

fn absolute<'a>(text: &'a str, keep: &[String]) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        let escaped = bytes[at..].starts_with(b"\\/\\/");
        if !escaped && !bytes[at..].starts_with(b"//") {
            at += 1;
            continue;
        }
        let behind = at + if escaped { 4 } else { 2 };
        let before = text[copied..at].chars().next_back();
        let start = match before {
            Some(':') => copied + scheme(&text[copied..at - 1]),
            _ if is_userinfo(&bytes[behind..]) && !before.is_some_and(is_path) => at,
            _ => {
                at = behind;
                continue;
            }
        };
        let opener = text[copied..start].chars().next_back();
        let end = behind + length(&text[behind..], opener, escaped);
        let url = &text[start..end];
        out.push_str(&text[copied..start]);
        if escaped {
            out.push_str(&redact_url(&url.replace("\\/", "/"), keep).replace('/', "\\/"));
        } else {
            out.push_str(&redact_url(url, keep));
        }
        (copied, at) = (end, end);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Where the scheme begins that ends `text`.
fn scheme(text: &str) -> usize {
    text.rfind(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'))
        .map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8))
}

/// Whether `name@` or `name:password@` comes next (RFC 3986, section 3.2.1).
fn is_userinfo(bytes: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&*+,;=:".contains(byte);
    let length = bytes.iter().take(256).take_while(|byte| is_part(byte)).count();
    length > 0 && bytes.get(length) == Some(&b'@')
}

fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '~' | '%' | '-' | '$' | '+' | '@')
}

/// How much of `rest` belongs to a URL that began before it, after the character `opener`. An
/// apostrophe within a word is a part of it. So are blanks within the quotes around it when more of
/// a query follows them.
fn length(rest: &str, opener: Option<char>, escaped: bool) -> usize {
    let bytes = rest.as_bytes();
    let within_word = |at: usize| bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
    let stops = |(at, c): (usize, char)| match c {
        '"' | '<' | '>' | '`' => true,
        '\'' => !within_word(at),
        '\\' => match bytes.get(at + 1) {
            Some(b'/') => !escaped,
            Some(b'"' | b'\'' | b'n' | b'r' | b't') => true,
            _ => false,
        },
        c => c.is_whitespace(),
    };
    let end = rest.char_indices().find(|it| stops(*it)).map_or(rest.len(), |(at, _)| at);
    let Some(quote) = opener.filter(|it| matches!(it, '"' | '\'' | '`')) else { return end };
    let blank = bytes.get(end).is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    if !blank || !rest[..end].contains('?') {
        return end;
    }
    let ahead = rest[end..].char_indices().take_while(|(at, c)| *at < QUOTED && *c != '\n');
    let closing = ahead
        .filter(|(at, c)| *c == quote && !(quote == '\'' && within_word(end + at)))
        .map(|(at, _)| end + at)
        .next();
    closing.filter(|closing| rest[end..*closing].contains('=')).unwrap_or(end)
}

/// Redacts queries without a host.
fn queries<'a>(text: &'a str, keep: &[String]) -> Cow<'a, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut copied, mut seen) = (0, 0);
    while let Some(mark) = bytes[seen..].iter().position(|byte| *byte == b'?') {
        let mark = seen + mark;
        let before = &text[seen..mark];
        let start = before
            .rfind(|c: char| !is_path(c))
            .map_or(seen, |at| seen + at + before[at..].chars().next().map_or(1, char::len_utf8));
        seen = mark + 1;
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~%[]$".contains(byte);
        let name = bytes[mark + 1..].iter().take(256).take_while(|byte| is_name(byte)).count();
        if name == 0 || bytes.get(mark + 1 + name) != Some(&b'=') {
            continue;
        }
        let opener = text[copied..start].chars().next_back();
        let end = mark + length(&text[mark..], opener, false);
        // `a[href*='/p?id=']`: no value, nothing to hide.
        if end == mark + name + 2 {
            continue;
        }
        out.push_str(&text[copied..start]);
        // By itself: what the path holds is looked at as text.
        out.push_str(&text[start..mark]);
        out.push_str(&redact_url(&text[mark..end], keep));
        (copied, seen) = (end, end);
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

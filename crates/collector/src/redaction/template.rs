use super::edits::REDACTED;
use std::borrow::Cow;

/// The URL's path with its variable parts replaced, so that pages made from one template share it:
/// numbers by `{n}`, UUIDs, long hexadecimal texts and what was redacted by `{id}`, a number within
/// a word by `{n}`, a title of four words or more by `{slug}`. `None` when the URL has no path.
///
/// ```
/// use telemetry_collector::url_template;
/// let template = |url| url_template(url).unwrap();
/// assert_eq!(template("https://shop.test/c/42/item-7?x=1"), "/c/{n}/item-{n}");
/// assert_eq!(template("https://news.test/2026/11/how-to-wash-a-cat/"), "/{n}/{n}/{slug}/");
/// ```
pub fn url_template(url: &str) -> Option<String> {
    let after = url.split_once("//").map_or(url, |(_, after)| after);
    let path = &after[after.find('/')?..];
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let mut out = String::with_capacity(path.len());
    for segment in path.split('/').skip(1) {
        out.push('/');
        out.push_str(&template_of(segment));
    }
    Some(out)
}

/// Fewest words of a title.
const TITLE_WORDS: usize = 4;

fn template_of(segment: &str) -> Cow<'_, str> {
    let (stem, extension) = match segment.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 5 && !stem.is_empty() => {
            (stem, &segment[stem.len()..])
        }
        _ => (segment, ""),
    };
    let is_id = stem.len() >= 16
        && stem.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        && stem.bytes().any(|byte| byte.is_ascii_digit());
    if is_id || stem.contains(REDACTED) {
        return Cow::Owned(format!("{{id}}{extension}"));
    }
    let words = stem.split(['-', '_', '+']).filter(|word| !word.is_empty()).count();
    if words >= TITLE_WORDS {
        return Cow::Owned(format!("{{slug}}{extension}"));
    }
    if !stem.bytes().any(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(segment);
    }
    let mut out = String::with_capacity(segment.len());
    let mut within = false;
    for c in stem.chars() {
        let digit = c.is_ascii_digit();
        match (digit, within) {
            (true, false) => out.push_str("{n}"),
            (true, true) => {}
            (false, _) => out.push(c),
        }
        within = digit;
    }
    out.push_str(extension);
    Cow::Owned(out)
}

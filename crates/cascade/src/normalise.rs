//! XPath as people write it for scrapers is XPath 1.0 with EXSLT; the evaluator speaks
//! XPath 3.1. What differs is rewritten here, so that the meaning stays the author's:
//!
//! - A string function given several nodes takes the first (XPath 1.0 §4.2), where 3.1 refuses.
//!   `contains(a/text(), 'x')` becomes `contains((a/text())[1], 'x')`, which is what
//!   XPath 3.1 §3.1.5.2 prescribes for its 1.0 compatibility mode.
//! - `//td[a][2]`, where a later predicate counts, becomes `//(td[a])[2]`, which means the same:
//!   the evaluator numbers `//` steps once, before their first predicate, instead of before each.
//! - EXSLT's `re:test(s, pattern, flags)` is 3.1's `matches(s, pattern, flags)`: both search.

/// An expression for the evaluator.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Normalised {
    pub(crate) text: String,
    /// The expression names `tbody`.
    pub(crate) names_tbody: bool,
}

const STRING_FUNCTIONS: [&str; 11] = [
    "contains",
    "starts-with",
    "ends-with",
    "string",
    "string-length",
    "normalize-space",
    "substring",
    "substring-before",
    "substring-after",
    "translate",
    "number",
];

/// Nesting of calls beyond this is left as it is.
const MAX_DEPTH: usize = 64;

pub(crate) fn normalise(source: &str) -> Normalised {
    let mut names_tbody = false;
    let text = rewrite(source, &mut names_tbody, 0);
    Normalised { text, names_tbody }
}

fn rewrite(source: &str, names_tbody: &mut bool, depth: usize) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    let mut rest = source;
    let mut after_sigil = false;
    while let Some(c) = rest.chars().next() {
        if c == '"' || c == '\'' {
            let end = literal_end(rest);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if is_name_start(c) {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (name, tail) = rest.split_at(end);
            let stepping = out.ends_with("//");
            let local = name.rsplit(':').next().unwrap_or(name);
            *names_tbody |= local.eq_ignore_ascii_case("tbody") && !after_sigil;
            let open = tail.trim_start();
            rest = tail;
            if stepping
                && depth < MAX_DEPTH
                && !name.contains("::")
                && let Some((predicates, after)) = counting_predicates(open)
            {
                out.push_str(&"(".repeat(predicates.len() - 1));
                out.push_str(name);
                for (at, predicate) in predicates.into_iter().enumerate() {
                    out.push_str(if at > 1 { ")[" } else { "[" });
                    out.push_str(&rewrite(predicate, names_tbody, depth + 1));
                    out.push_str(if at == 0 { "])" } else { "]" });
                }
                rest = after;
                continue;
            }
            out.push_str(match name {
                "re:test" | "regexp:test" if open.starts_with('(') => "matches",
                _ => name,
            });
            let string_function = STRING_FUNCTIONS.contains(&local) && !name.contains("::");
            if open.starts_with('(')
                && !after_sigil
                && depth < MAX_DEPTH
                && (string_function || matches!(name, "re:test" | "regexp:test"))
                && let Some((arguments, after)) = arguments(open)
            {
                let arguments: Vec<String> = arguments
                    .into_iter()
                    .map(|argument| first_item(&rewrite(argument, names_tbody, depth + 1)))
                    .collect();
                out.push('(');
                out.push_str(&arguments.join(","));
                out.push(')');
                rest = after;
            }
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
        after_sigil = matches!(c, '@' | '$');
    }
    out
}

/// The predicates that open `text`, where there are several and one after the first counts.
fn counting_predicates(text: &str) -> Option<(Vec<&str>, &str)> {
    let (mut predicates, mut rest) = (Vec::new(), text);
    while rest.starts_with('[') {
        let inside = rest[1..].trim_start();
        let (parts, after) = arguments(rest)?;
        let length = rest.len() - after.len();
        if inside.is_empty() || parts.is_empty() {
            return None;
        }
        predicates.push(&rest[1..length - 1]);
        rest = after.trim_start();
    }
    let counts = |p: &&str| {
        let p = p.trim();
        p.starts_with(|c: char| c.is_ascii_digit())
            || ["position", "last", "count", "number"].iter().any(|call| p.contains(call))
    };
    predicates.get(1..)?.iter().any(counts).then_some((predicates, rest))
}

fn first_item(argument: &str) -> String {
    let plain = argument.trim();
    let literal = plain.starts_with(['"', '\'']) && literal_end(plain) == plain.len();
    let attribute = plain.strip_prefix('@').is_some_and(|name| name.chars().all(is_name));
    let number = plain.chars().all(|c| c.is_ascii_digit() || c == '.');
    if literal || attribute || number { plain.to_owned() } else { format!("({plain})[1]") }
}

/// The arguments of the call whose `(` opens `call`, and what follows its `)`.
fn arguments(call: &str) -> Option<(Vec<&str>, &str)> {
    let (mut level, mut start, mut at) = (0_usize, 1, 0);
    let mut found = Vec::new();
    while let Some(c) = call[at..].chars().next() {
        match c {
            '"' | '\'' => {
                at += literal_end(&call[at..]);
                continue;
            }
            '(' | '[' => level += 1,
            ')' | ']' => {
                level = level.checked_sub(1)?;
                if level == 0 {
                    let last = &call[start..at];
                    if !(found.is_empty() && last.trim().is_empty()) {
                        found.push(last);
                    }
                    return Some((found, &call[at + 1..]));
                }
            }
            ',' if level == 1 => {
                found.push(&call[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    None
}

/// Where the literal that opens `text` ends; its end if it is never closed.
fn literal_end(text: &str) -> usize {
    let quote = text.as_bytes()[0] as char;
    text[1..].find(quote).map_or(text.len(), |at| at + 2)
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_item_rules_and_exslt() {
        let check = |from: &str, to: &str| assert_eq!(normalise(from).text, to, "{from}");
        check("//a[contains(@href, 'x')]", "//a[contains(@href,'x')]");
        check("//p[contains(text(), '(a,b')]", "//p[contains((text())[1],'(a,b')]");
        check("//p[string-length(text()) > 10]", "//p[string-length((text())[1]) > 10]");
        check("//p[re:test(string(.), '^A')]", "//p[matches((string(.))[1],'^A')]");
        check("//p[normalize-space()]", "//p[normalize-space()]");
        check("//contains/@string", "//contains/@string");
        check("contains(", "contains(");
        check("//td[@c='a'][2]/a", "//(td[@c='a'])[2]/a");
        check("//td[a][b][last()]", "//((td[a])[b])[last()]");
        check("//td[2][@c='a']", "//td[2][@c='a']");
    }

    #[test]
    fn tbody_counts_only_as_a_name() {
        assert!(normalise("//table/tbody/tr").names_tbody);
        assert!(normalise("//table/child::tbody").names_tbody);
        assert!(!normalise("//table[@tbody = 'tbody']/tr").names_tbody);
    }
}

//! Where in a configuration's text something stands.

use telemetry_interfaces::Error;
use toml::de::{DeTable, DeValue};

/// Line and column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// That of a byte of the text.
    pub(crate) fn of_byte(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        Self {
            line: before.matches('\n').count() + 1,
            column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
        }
    }

    /// That of the setting an error is about, or of the innermost table around it that the text
    /// has. `None` when the text says nothing of the kind.
    pub(crate) fn of_error(text: &str, error: &Error) -> Option<Self> {
        let context = |wanted: &str| {
            error.context().find(|(key, _)| *key == wanted).map(|(_, value)| value.to_owned())
        };
        let field = context("field").or_else(|| {
            // Parts that give no field begin their message with it.
            let word = error.message().split_whitespace().next()?;
            word.contains('.').then(|| word.to_owned())
        })?;
        let name = context("rule").or_else(|| context("webhook"));
        locate(text, &field, name.as_deref()).map(|at| Self::of_byte(text, at))
    }
}

/// The byte at which the setting `field` (dotted) begins. In a list of tables the one counts whose
/// `id` or `name` is `name`.
fn locate(text: &str, field: &str, name: Option<&str>) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut found = None;
    for segment in field.split('.') {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == segment) else {
            break;
        };
        found = Some(key.span().start);
        table = match value.get_ref() {
            DeValue::Table(inner) => inner,
            DeValue::Array(items) => {
                let named = |of: &DeTable<'_>| {
                    let own = of.iter().find(|(key, _)| matches!(&**key.get_ref(), "id" | "name"));
                    own.and_then(|(_, value)| value.get_ref().as_str()) == name
                };
                let item = items.iter().rev().find_map(|item| {
                    let of = item.get_ref().as_table().filter(|of| named(of))?;
                    Some((item.span().start, of))
                });
                let Some((start, of)) = item else { break };
                found = Some(start);
                of
            }
            _ => break,
        };
    }
    found
}

/// Whether a line of the text may hold a secret: it belongs to a webhook, or speaks of one.
pub(crate) fn may_hold_secret(text: &str, line: usize) -> bool {
    const WORDS: [&str; 8] =
        ["header", "token", "secret", "passw", "key", "auth", "bearer", "credential"];
    let lines: Vec<&str> = text.lines().take(line).collect();
    let Some(own) = lines.last() else { return false };
    let own = own.to_lowercase();
    let table = lines.iter().rposition(|line| line.trim_start().starts_with('[')).unwrap_or(0);
    WORDS.iter().any(|word| own.contains(word))
        || lines[table..].iter().any(|line| line.contains("webhook") || line.contains("channels"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, field: &str, name: Option<&str>) -> Option<usize> {
        locate(text, field, name).map(|at| Place::of_byte(text, at).line)
    }

    #[test]
    fn a_key_is_found_however_it_is_written() {
        for text in ["\n[a.b]\nc = 1\n", "[a]\n\nb = { c = 1 }\n", "\n\na.b.c = 1\n"] {
            assert_eq!(line(text, "a.b.c", None), Some(3), "{text}");
        }
        assert_eq!(line("[a]\n[a.b]\nd = 1\n", "a.b.c", None), Some(2));
        assert_eq!(line("[d]\n", "a.b.c", None), None);
    }

    #[test]
    fn in_a_list_the_named_one_counts() {
        let text = "[[r]]\nid = \"x\"\nv = 1\n[[r]]\nid = \"\"\nv = 2\n[[r]]\nv = 3\n";
        assert_eq!(line(text, "r.v", Some("x")), Some(3));
        assert_eq!(line(text, "r.id", Some("")), Some(5));
        assert_eq!(line(text, "r.w", Some("")), Some(4));
    }

    #[test]
    fn lines_with_secrets() {
        let text = "[a]\nb = 1\napi_token = 3\n[[alerting.webhooks]]\nurl = 1\n[c]\nd = 1\n";
        let secret: Vec<usize> = (1..=7).filter(|line| may_hold_secret(text, *line)).collect();
        assert_eq!(secret, [3, 4, 5]);
    }
}

use crate::{Error, Found, Matches};
use scraper::{ElementRef, Html, Node, Selector};

/// A selector list, each branch with what the CSS standard lacks and scrapers use.
#[derive(Debug)]
pub(crate) struct CssQuery {
    branches: Vec<Branch>,
}

#[derive(Debug)]
struct Branch {
    selector: Selector,
    contains: Vec<String>,
    take: Take,
}

#[derive(Debug, PartialEq, Eq)]
enum Take {
    Element,
    /// Each text node right inside the element, as parsel's `::text`.
    Text,
    Attribute(String),
}

impl CssQuery {
    pub(crate) fn compile(text: &str) -> Result<Self, Error> {
        let extended = text.contains("::") || text.to_ascii_lowercase().contains(":contains(");
        let parts = if extended { split_list(text) } else { vec![text] };
        let branches = parts.into_iter().map(Branch::compile).collect::<Result<_, _>>()?;
        Ok(Self { branches })
    }

    pub(crate) fn run(&self, html: &Html, limit: usize) -> Matches {
        let mut matches = Matches::default();
        if let [Branch { selector, contains, take: Take::Element }] = self.branches.as_slice()
            && contains.is_empty()
        {
            for element in html.select(selector) {
                matches.push(limit, || Found::element(element, element.text().collect()));
            }
            return matches;
        }
        for element in html.root_element().descendent_elements_and_self() {
            let mut taken: Vec<&Take> = Vec::new();
            for branch in &self.branches {
                if !taken.contains(&&branch.take) && branch.matches(element) {
                    taken.push(&branch.take);
                    branch.take_from(element, &mut matches, limit);
                }
            }
        }
        matches
    }
}

trait SelfAndDescendants<'a> {
    fn descendent_elements_and_self(self) -> impl Iterator<Item = ElementRef<'a>>;
}

impl<'a> SelfAndDescendants<'a> for ElementRef<'a> {
    fn descendent_elements_and_self(self) -> impl Iterator<Item = ElementRef<'a>> {
        self.descendants().filter_map(ElementRef::wrap)
    }
}

impl Matches {
    pub(crate) fn push(&mut self, limit: usize, found: impl FnOnce() -> Found) {
        self.count += 1;
        if self.found.len() < limit {
            self.found.push(found());
        }
    }
}

impl Branch {
    fn compile(text: &str) -> Result<Self, Error> {
        let (matching, take) = split_extraction(text.trim())?;
        let (matching, contains) = split_contains(&matching)?;
        let selector = Selector::parse(&matching)
            .map_err(|error| Error::Invalid(format!("not a CSS selector, {text:?}: {error}")))?;
        Ok(Self { selector, contains, take })
    }

    fn matches(&self, element: ElementRef<'_>) -> bool {
        if !self.selector.matches(&element) {
            return false;
        }
        if self.contains.is_empty() {
            return true;
        }
        let text: String = element.text().collect();
        self.contains.iter().all(|part| text.contains(part.as_str()))
    }

    fn take_from(&self, element: ElementRef<'_>, matches: &mut Matches, limit: usize) {
        match &self.take {
            Take::Element => {
                matches.push(limit, || Found::element(element, element.text().collect()));
            }
            Take::Text => {
                for child in element.children() {
                    if let Node::Text(text) = child.value() {
                        matches.push(limit, || Found::element(element, text.to_string()));
                    }
                }
            }
            Take::Attribute(name) => {
                if let Some(value) = element.attr(name) {
                    matches.push(limit, || Found::element(element, value.to_owned()));
                }
            }
        }
    }
}

/// Calls `visit(index, char)` for every character outside quotes, brackets and escapes; stops
/// when it answers `false`.
fn outside(text: &str, mut visit: impl FnMut(usize, char) -> bool) {
    let (mut quote, mut level, mut escaped) = (None, 0_usize, false);
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if let Some(open) = quote {
            if c == open {
                quote = None;
            }
        } else {
            match c {
                '"' | '\'' => quote = Some(c),
                '(' | '[' => {
                    if level == 0 && !visit(at, c) {
                        return;
                    }
                    level += 1;
                }
                ')' | ']' => level = level.saturating_sub(1),
                _ if level == 0 && !visit(at, c) => return,
                _ => {}
            }
        }
    }
}

fn split_list(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    outside(text, |at, c| {
        if c == ',' {
            parts.push(&text[start..at]);
            start = at + 1;
        }
        true
    });
    parts.push(&text[start..]);
    parts
}

fn split_extraction(text: &str) -> Result<(String, Take), Error> {
    let mut found = None;
    outside(text, |at, _| {
        if text[at..].starts_with("::") {
            found = Some(at);
        }
        found.is_none()
    });
    let Some(at) = found else { return Ok((text.to_owned(), Take::Element)) };
    let pseudo = text[at + 2..].trim();
    let take = if pseudo == "text" {
        Take::Text
    } else if let Some(name) = pseudo.strip_prefix("attr(").and_then(|n| n.strip_suffix(')')) {
        Take::Attribute(name.trim().trim_matches(['"', '\'']).to_ascii_lowercase())
    } else {
        return Err(Error::Invalid(format!(
            "`::{pseudo}` in {text:?}: expected `::text` or `::attr(name)` at the end"
        )));
    };
    let before = &text[..at];
    let open = before.trim_end();
    let bare = open.is_empty() || open.ends_with(['>', '+', '~']) || open.len() < before.len();
    let matching = if bare { format!("{before}*") } else { before.to_owned() };
    if take == Take::Text
        && let Some(ancestor) = matching.strip_suffix('*')
        && ancestor.ends_with(char::is_whitespace)
        && let ancestor = ancestor.trim()
        && !ancestor.is_empty()
        && !ancestor.ends_with(['>', '+', '~'])
    {
        // As in parsel, all text inside the ancestor: its own as well as its descendants'.
        return Ok((format!("{ancestor}, {ancestor} *"), take));
    }
    Ok((matching, take))
}

fn split_contains(text: &str) -> Result<(String, Vec<String>), Error> {
    const CALL: &str = ":contains(";
    let lower = text.to_ascii_lowercase();
    let (mut kept, mut needles, mut copied) = (String::new(), Vec::new(), 0);
    let mut calls = Vec::new();
    outside(text, |at, c| {
        if c == ':' && lower[at..].starts_with(CALL) {
            calls.push(at);
        }
        true
    });
    for at in calls {
        let argument = &text[at + CALL.len()..];
        let Some((needle, length)) = contains_argument(argument) else {
            return Err(Error::Invalid(format!("`:contains(` without its end in {text:?}")));
        };
        kept.push_str(&text[copied..at]);
        copied = at + CALL.len() + length;
        let after = &text[copied..];
        let mut combinator = false;
        outside(after, |_, c| {
            combinator |= c.is_whitespace() || matches!(c, '>' | '+' | '~');
            !combinator
        });
        if combinator {
            return Err(Error::Invalid(format!(
                "`:contains()` is supported in the last part of a selector only: {text:?}"
            )));
        }
        needles.push(needle);
    }
    kept.push_str(&text[copied..]);
    if !needles.is_empty() && (kept.is_empty() || kept.ends_with([' ', '>', '+', '~'])) {
        kept.push('*');
    }
    Ok((kept, needles))
}

/// The text in `"…")`, `'…')` or `…)` and the length up to and with the parenthesis.
fn contains_argument(text: &str) -> Option<(String, usize)> {
    let trimmed = text.trim_start();
    let skipped = text.len() - trimmed.len();
    if let Some(quote) = trimmed.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let end = trimmed[1..].find(quote)? + 1;
        let close = end + 1 + trimmed[end + 1..].find(')')?;
        trimmed[end + 1..close]
            .trim()
            .is_empty()
            .then(|| (trimmed[1..end].to_owned(), skipped + close + 1))
    } else {
        let close = trimmed.find(')')?;
        let needle = trimmed[..close].trim();
        (!needle.is_empty()).then(|| (needle.to_owned(), skipped + close + 1))
    }
}

//! The strategies that look for meaning rather than structure.

use crate::similarity::{fold, similarity, squeeze};
use crate::{Error, Found, Matches, StrategyKind};
use scraper::{ElementRef, Html, Selector};

/// Texts less alike than this are not the same thing said differently.
const ALIKE: f64 = 0.6;

/// Text longer than this, in characters after folding, is prose and no label or caption.
const LONGEST_LABEL: usize = 200;

const TEST_ID_ATTRIBUTES: [&str; 5] =
    ["data-testid", "data-test-id", "data-test", "data-qa", "data-cy"];

#[derive(Debug)]
pub(crate) enum Locator {
    Text(String),
    Anchor { label: String, target: Option<Selector> },
    Attribute { tag: Option<String>, name: String, test: AttributeTest },
    Role { role: String, name: Option<String> },
    TestId(String),
    Label(String),
}

#[derive(Debug)]
pub(crate) enum AttributeTest {
    Present,
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
}

type Hits<'a> = Vec<(ElementRef<'a>, Option<f64>)>;

impl Locator {
    pub(crate) fn compile(kind: StrategyKind, text: &str) -> Result<Self, Error> {
        let text = text.trim();
        match kind {
            StrategyKind::TextAnchor => anchor(text),
            StrategyKind::Attribute => attribute(text),
            StrategyKind::Role => role(text),
            StrategyKind::TestId => Ok(Self::TestId(text.to_owned())),
            StrategyKind::Label => Ok(Self::Label(fold(text))),
            StrategyKind::Text => Ok(Self::Text(fold(text))),
            StrategyKind::Css | StrategyKind::XPath => {
                Err(Error::Invalid(format!("{kind} is not located by meaning")))
            }
        }
    }

    pub(crate) fn run(&self, html: &Html, limit: usize) -> Matches {
        let hits: Hits<'_> = match self {
            Self::Text(text) => by_text(html, text),
            Self::Anchor { label, target } => by_text(html, label)
                .into_iter()
                .filter_map(|(at, score)| Some((neighbour(at, target.as_ref())?, score)))
                .collect(),
            Self::Attribute { tag, name, test } => elements(html)
                .filter(|e| tag.as_ref().is_none_or(|tag| e.value().name() == tag))
                .filter(|e| e.attr(name).is_some_and(|value| test.accepts(value)))
                .map(|e| (e, None))
                .collect(),
            Self::Role { role, name } => by_role(html, role, name.as_deref()),
            Self::TestId(id) => elements(html)
                .filter(|e| TEST_ID_ATTRIBUTES.iter().any(|name| e.attr(name) == Some(id)))
                .map(|e| (e, None))
                .collect(),
            Self::Label(label) => by_label(html, label),
        };
        let mut matches = Matches::default();
        let scores: Vec<f64> = hits.iter().filter_map(|(_, score)| *score).collect();
        if !scores.is_empty() {
            matches.similarity = Some(scores.iter().sum::<f64>() / scores.len() as f64);
        }
        for (element, _) in hits {
            matches.push(limit, || Found::element(element, value_of(element)));
        }
        matches
    }
}

impl AttributeTest {
    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Present => true,
            Self::Equals(wanted) => value == wanted,
            Self::StartsWith(wanted) => value.starts_with(wanted),
            Self::EndsWith(wanted) => value.ends_with(wanted),
            Self::Contains(wanted) => value.contains(wanted),
        }
    }
}

fn anchor(text: &str) -> Result<Locator, Error> {
    let (label, target) = match text.split_once("=>") {
        Some((label, css)) => {
            let selector = Selector::parse(css.trim()).map_err(|error| {
                Error::Invalid(format!("not a CSS selector after `=>` in {text:?}: {error}"))
            })?;
            (label, Some(selector))
        }
        None => (text, None),
    };
    let label = fold(label);
    if label.is_empty() {
        return Err(Error::Invalid(format!("no label text in {text:?}")));
    }
    Ok(Locator::Anchor { label, target })
}

fn attribute(text: &str) -> Result<Locator, Error> {
    let (left, test) = match text.split_once('=') {
        None => (text, AttributeTest::Present),
        Some((left, value)) => {
            let value = value.trim().trim_matches(['"', '\'']).to_owned();
            match left.chars().last() {
                Some('^') => (&left[..left.len() - 1], AttributeTest::StartsWith(value)),
                Some('$') => (&left[..left.len() - 1], AttributeTest::EndsWith(value)),
                Some('*') => (&left[..left.len() - 1], AttributeTest::Contains(value)),
                _ => (left, AttributeTest::Equals(value)),
            }
        }
    };
    let words: Vec<&str> = left.split_whitespace().collect();
    let (tag, name) = match words.as_slice() {
        [name] => (None, *name),
        [tag, name] => (Some(tag.to_ascii_lowercase()), *name),
        _ => {
            return Err(Error::Invalid(format!(
                "expected `name`, `name=value` or `tag name=value`, found {text:?}"
            )));
        }
    };
    Ok(Locator::Attribute { tag, name: name.to_ascii_lowercase(), test })
}

fn role(text: &str) -> Result<Locator, Error> {
    let (role, name) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if !role.chars().all(|c| c.is_ascii_alphabetic()) {
        return Err(Error::Invalid(format!("expected `role` or `role \"name\"`, found {text:?}")));
    }
    let name = fold(name.trim().trim_matches(['"', '\'']));
    let name = (!name.is_empty()).then_some(name);
    Ok(Locator::Role { role: role.to_ascii_lowercase(), name })
}

fn elements(html: &Html) -> impl Iterator<Item = ElementRef<'_>> {
    html.tree.root().descendants().filter_map(ElementRef::wrap)
}

fn text_of(element: ElementRef<'_>) -> String {
    squeeze(&element.text().collect::<String>())
}

fn value_of(element: ElementRef<'_>) -> String {
    match element.value().name() {
        "input" | "meta" => {
            element.attr("value").or(element.attr("content")).unwrap_or_default().to_owned()
        }
        _ => text_of(element),
    }
}

fn is_visible_tag(element: ElementRef<'_>) -> bool {
    !matches!(element.value().name(), "html" | "head" | "title" | "script" | "style" | "template")
}

/// The elements most like `wanted`; of nested ones with the same text, the innermost.
fn by_text<'a>(html: &'a Html, wanted: &str) -> Hits<'a> {
    let mut best = ALIKE;
    let mut hits: Vec<(ElementRef<'a>, f64)> = Vec::new();
    for element in elements(html).filter(|e| is_visible_tag(*e)) {
        let Some(text) = short_text(element) else { continue };
        let score = similarity(&text, wanted);
        if score < best || score == 0.0 {
            continue;
        }
        if score > best {
            best = score;
            hits.clear();
        }
        hits.retain(|(outer, _)| !element.ancestors().any(|a| a.id() == outer.id()));
        hits.push((element, score));
    }
    hits.into_iter().map(|(element, score)| (element, Some(score))).collect()
}

/// The folded text, unless it is empty or too long to be a label; stops reading when it is.
fn short_text(element: ElementRef<'_>) -> Option<String> {
    let mut text = String::new();
    for part in element.text() {
        text.push_str(part.trim_matches(['\n', '\r', '\t']));
        if text.len() > 4 * LONGEST_LABEL {
            return None;
        }
    }
    let text = fold(&text);
    (!text.is_empty() && text.chars().count() <= LONGEST_LABEL).then_some(text)
}

fn neighbour<'a>(anchor: ElementRef<'a>, target: Option<&Selector>) -> Option<ElementRef<'a>> {
    let around = anchor.ancestors().filter_map(ElementRef::wrap);
    if let Some(target) = target {
        return around
            .take(6)
            .find_map(|parent| parent.select(target).find(|found| found.id() != anchor.id()));
    }
    std::iter::once(anchor).chain(around).take(3).find_map(|element| {
        element
            .next_siblings()
            .filter_map(ElementRef::wrap)
            .find(|sibling| !value_of(*sibling).is_empty())
    })
}

fn by_role<'a>(html: &'a Html, role: &str, name: Option<&str>) -> Hits<'a> {
    elements(html)
        .filter(|element| role_of(*element) == Some(role))
        .filter_map(|element| match name {
            None => Some((element, None)),
            Some(name) => {
                let score = similarity(&fold(&accessible_name(html, element)), name);
                (score >= ALIKE).then_some((element, Some(score)))
            }
        })
        .collect()
}

/// The explicit role, or the one HTML gives the tag (W3C, ARIA in HTML §4).
fn role_of<'a>(element: ElementRef<'a>) -> Option<&'a str> {
    if let Some(role) = element.attr("role").and_then(|r| r.split_whitespace().next()) {
        return Some(role);
    }
    Some(match element.value().name() {
        "a" | "area" if element.attr("href").is_some() => "link",
        "button" | "summary" => "button",
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => "heading",
        "img" => "img",
        "ul" | "ol" | "menu" => "list",
        "li" => "listitem",
        "nav" => "navigation",
        "main" => "main",
        "article" => "article",
        "aside" => "complementary",
        "form" => "form",
        "table" => "table",
        "tr" => "row",
        "td" => "cell",
        "th" => "columnheader",
        "textarea" => "textbox",
        "select" => "combobox",
        "option" => "option",
        "output" => "status",
        "progress" => "progressbar",
        "dialog" => "dialog",
        "input" => match element.attr("type").unwrap_or("text") {
            "button" | "submit" | "reset" | "image" => "button",
            "checkbox" => "checkbox",
            "radio" => "radio",
            "range" => "slider",
            "number" => "spinbutton",
            "search" => "searchbox",
            "text" | "email" | "tel" | "url" => "textbox",
            _ => return None,
        },
        _ => return None,
    })
}

/// A short form of the W3C accessible-name computation: `aria-labelledby`, `aria-label`, the
/// label of a form control, then `alt`, the text, `value` and `title`.
fn accessible_name(html: &Html, element: ElementRef<'_>) -> String {
    if let Some(name) = label_of(html, element) {
        return name;
    }
    let text = text_of(element);
    [element.attr("alt"), Some(text.as_str()), element.attr("value"), element.attr("title")]
        .into_iter()
        .flatten()
        .find(|name| !name.trim().is_empty())
        .unwrap_or_default()
        .to_owned()
}

fn label_of(html: &Html, element: ElementRef<'_>) -> Option<String> {
    if let Some(ids) = element.attr("aria-labelledby") {
        let parts: Vec<String> = ids
            .split_whitespace()
            .filter_map(|id| elements(html).find(|e| e.attr("id") == Some(id)))
            .map(text_of)
            .collect();
        return Some(parts.join(" "));
    }
    if let Some(label) = element.attr("aria-label") {
        return Some(label.to_owned());
    }
    if !is_control(element) {
        return None;
    }
    let is_label = |e: &ElementRef<'_>| e.value().name() == "label";
    let around = element.ancestors().filter_map(ElementRef::wrap).find(is_label);
    let pointing = || {
        let id = element.attr("id")?;
        elements(html).filter(is_label).find(|e| e.attr("for") == Some(id))
    };
    around.or_else(pointing).map(text_of)
}

fn is_control(element: ElementRef<'_>) -> bool {
    match element.value().name() {
        "input" => element.attr("type") != Some("hidden"),
        "select" | "textarea" | "meter" | "output" | "progress" => true,
        _ => false,
    }
}

fn by_label<'a>(html: &'a Html, wanted: &str) -> Hits<'a> {
    let mut best = ALIKE;
    let mut hits: Hits<'a> = Vec::new();
    for element in elements(html).filter(|e| is_control(*e)) {
        let Some(label) =
            label_of(html, element).or_else(|| element.attr("placeholder").map(str::to_owned))
        else {
            continue;
        };
        let score = similarity(&fold(&label), wanted);
        if score < best {
            continue;
        }
        if score > best {
            best = score;
            hits.clear();
        }
        hits.push((element, Some(score)));
    }
    hits
}

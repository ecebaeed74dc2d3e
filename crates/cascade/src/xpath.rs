//! XPath over the same tree that CSS sees.
//!
//! Browsers put a `tbody` into every table whose source writes none; the tools most scrapers
//! are written with do not. So `//table/tr` can only mean the source as written, and
//! `//table/tbody/tr` may have been copied out of a browser. An expression that names `tbody`
//! is evaluated on the browser's tree, every other one on the tree as written.
//!
//! The evaluator's own HTML parser is left out; its tree is built through the one public way,
//! which it has marked for replacement.
#![allow(deprecated)]

use crate::parse::Parsed;
use crate::{Error, Found, Matches, normalise};
use indextree::{Arena, NodeId};
use scraper::Node;
use skyscraper::html::{DocumentNode, HtmlComment, HtmlDocument, HtmlNode, HtmlTag, HtmlText};
use skyscraper::xpath::grammar::data_model::XpathItem;
use skyscraper::xpath::grammar::{DisplayFormatting, XpathItemTreeNode};
use skyscraper::xpath::{Xpath, XpathItemTree};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Elements nested deeper than this are refused: building and evaluating recurse. Blink cuts
/// documents at the same depth (`kMaximumHTMLParserDOMTreeDepth`).
const MAX_DEPTH: usize = 512;

/// Brackets nested deeper than this are refused: the expression parser recurses and backtracks.
const MAX_BRACKETS: usize = 24;

#[derive(Debug)]
pub(crate) struct XPathQuery {
    expression: Xpath,
    pub(crate) names_tbody: bool,
}

pub(crate) fn compile(text: &str) -> Result<XPathQuery, Error> {
    let mut level = 0_usize;
    for c in text.chars() {
        match c {
            '(' | '[' => level += 1,
            ')' | ']' => level = level.saturating_sub(1),
            _ => {}
        }
        if level > MAX_BRACKETS {
            return Err(Error::Invalid(format!("brackets nest deeper than {MAX_BRACKETS}")));
        }
    }
    let normalised = normalise::normalise(text);
    guard(|| skyscraper::xpath::parse(&normalised.text))
        .map_err(|panic| Error::Invalid(format!("the XPath parser gave up on it: {panic}")))?
        .map(|expression| XPathQuery { expression, names_tbody: normalised.names_tbody })
        .map_err(|error| Error::Invalid(format!("not an XPath expression: {error}")))
}

impl XPathQuery {
    pub(crate) fn run(&self, tree: &XpathItemTree, limit: usize) -> Result<Matches, Error> {
        guard(|| {
            let items = self.expression.apply(tree)?;
            // A lone boolean answers a question rather than selecting: `false` is no match.
            let matched = |item: &&XpathItem<'_>| !is_false(item);
            let count = items.iter().filter(matched).count();
            let found =
                items.iter().filter(matched).take(limit).map(|i| extract(i, tree)).collect();
            Ok(Matches { count, found, similarity: None })
        })
        .map_err(|panic| Error::Failed(format!("the XPath evaluator gave up: {panic}")))?
        .map_err(|e: skyscraper::xpath::ExpressionApplyError| Error::Failed(e.to_string()))
    }
}

fn is_false(item: &XpathItem<'_>) -> bool {
    use skyscraper::xpath::grammar::data_model::AnyAtomicType;
    matches!(item, XpathItem::AnyAtomicType(AnyAtomicType::Boolean(false)))
}

fn extract(item: &XpathItem<'_>, tree: &XpathItemTree) -> Found {
    match item {
        XpathItem::Node(XpathItemTreeNode::ElementNode(element)) => Found {
            value: element.text_content(tree),
            tag: Some(element.name.clone()),
            attributes: element
                .attributes(tree)
                .into_iter()
                .map(|a| (a.name.clone(), a.value.clone()))
                .collect(),
            html: Some(element.display(tree, DisplayFormatting::Raw, 0)),
        },
        XpathItem::Node(XpathItemTreeNode::AttributeNode(attribute)) => Found {
            value: attribute.value.clone(),
            tag: None,
            attributes: vec![(attribute.name.clone(), attribute.value.clone())],
            html: None,
        },
        XpathItem::Node(XpathItemTreeNode::TextNode(text)) => Found::plain(text.content.clone()),
        XpathItem::Node(node) => Found::plain(node.text_content(tree)),
        XpathItem::AnyAtomicType(value) => Found::plain(value.to_string()),
        XpathItem::Function(function) => Found::plain(function.to_string()),
    }
}

/// Builds the evaluator's tree, with or without the `tbody` elements the source does not write.
pub(crate) fn tree(parsed: &Parsed, as_written: bool) -> Result<XpathItemTree, Error> {
    let root = parsed
        .html
        .tree
        .root()
        .children()
        .find(|node| node.value().is_element())
        .ok_or_else(|| Error::Failed("the document has no element".to_owned()))?;

    let mut arena = Arena::with_capacity(parsed.html.tree.values().len());
    let mut root_id: Option<NodeId> = None;
    let mut pending = vec![(root, None::<NodeId>, 1_usize)];
    while let Some((node, parent, depth)) = pending.pop() {
        if depth > MAX_DEPTH {
            return Err(Error::Failed(format!(
                "the document nests deeper than {MAX_DEPTH} elements; use a CSS strategy for it"
            )));
        }
        let left_out = as_written && parsed.implied.contains(&node.id());
        let inside = if left_out {
            parent
        } else {
            let Some(value) = convert(node.value()) else { continue };
            let id = arena.new_node(value);
            match parent {
                Some(parent) => parent.append(id, &mut arena),
                None => root_id = Some(id),
            }
            Some(id)
        };
        pending.extend(node.children().rev().map(|child| (child, inside, depth + 1)));
    }
    let root_id = root_id.ok_or_else(|| Error::Failed("the document is empty".to_owned()))?;
    let document = HtmlDocument::new(arena, DocumentNode::new(root_id));
    guard(|| XpathItemTree::from(&document))
        .map_err(|panic| Error::Failed(format!("no XPath tree could be built: {panic}")))
}

fn convert(node: &Node) -> Option<HtmlNode> {
    match node {
        Node::Element(element) => {
            let mut tag = HtmlTag::new(element.name().to_owned());
            tag.attributes =
                element.attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Some(HtmlNode::Tag(tag))
        }
        Node::Text(text) => {
            let value = text.to_string();
            let only_whitespace = value.trim().is_empty();
            Some(HtmlNode::Text(HtmlText { value, only_whitespace }))
        }
        Node::Comment(comment) => {
            Some(HtmlNode::Comment(HtmlComment::new(comment.comment.to_string())))
        }
        _ => None,
    }
}

/// Runs third-party code that may panic on unusual input; the panic's message is the error.
fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "it panicked without a message".to_owned())
    })
}

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, StartTag, TagToken, Token, TokenSink, TokenSinkResult, Tokenizer,
};
use html5ever::tree_builder::{TreeBuilder, TreeSink};
use html5ever::{Attribute, LocalName, QualName, TokenizerResult, local_name, ns};
use scraper::{Html, HtmlTreeSink, Node};
use std::collections::HashSet;

/// An HTML tree as browsers build it, and the `tbody` elements in it that the source does not
/// write and the parser put in.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) html: Html,
    pub(crate) implied: HashSet<NodeId>,
}

pub(crate) type NodeId = <HtmlTreeSink as TreeSink>::Handle;

const WRITTEN: &str = "data-cascade-written";

/// Passes tokens on to the tree builder, marking the `tbody` tags that the source writes: in the
/// finished tree those and the ones the parser puts in look the same.
struct MarkTbody<S>(S);

impl<S: TokenSink> TokenSink for MarkTbody<S> {
    type Handle = S::Handle;

    fn process_token(&self, mut token: Token, line: u64) -> TokenSinkResult<Self::Handle> {
        if let TagToken(tag) = &mut token
            && tag.kind == StartTag
            && tag.name == local_name!("tbody")
        {
            let name = QualName::new(None, ns!(), LocalName::from(WRITTEN));
            tag.attrs.push(Attribute { name, value: StrTendril::new() });
        }
        self.0.process_token(token, line)
    }

    fn end(&self) {
        self.0.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.0.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

pub(crate) fn parse(source: &str) -> Parsed {
    let builder = TreeBuilder::new(HtmlTreeSink::new(Html::new_document()), Default::default());
    let tokenizer = Tokenizer::new(MarkTbody(builder), Default::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(source));
    while !matches!(tokenizer.feed(&input), TokenizerResult::Done) {}
    tokenizer.end();
    let mut html = tokenizer.sink.0.sink.finish();

    let mut implied = HashSet::new();
    let is_tbody = |node: &Node| node.as_element().is_some_and(|e| e.name() == "tbody");
    let bodies: Vec<NodeId> =
        html.tree.nodes().filter(|node| is_tbody(node.value())).map(|node| node.id()).collect();
    for id in bodies {
        if let Some(mut node) = html.tree.get_mut(id)
            && let Node::Element(element) = node.value()
        {
            let before = element.attrs.len();
            element.attrs.retain(|(name, _)| &*name.local != WRITTEN);
            if element.attrs.len() == before {
                implied.insert(id);
            }
        }
    }
    Parsed { html, implied }
}

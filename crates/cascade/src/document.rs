use crate::parse::{self, Parsed};
use crate::{Error, Found, Matches, Query, StrategyKind, xpath};
use skyscraper::xpath::XpathItemTree;
use std::cell::OnceCell;

/// An HTML page. Parsed when first asked, once; XPath's trees are built when first asked.
///
/// It can be moved between threads, and is used by one at a time.
#[derive(Debug)]
pub struct Document {
    source: String,
    parsed: OnceCell<Parsed>,
    browser_tree: OnceCell<Result<XpathItemTree, Error>>,
    written_tree: OnceCell<Result<XpathItemTree, Error>>,
}

impl Document {
    /// Takes the page. As in browsers there is no page that cannot be parsed.
    pub fn parse(html: &str) -> Self {
        Self {
            source: html.to_owned(),
            parsed: OnceCell::new(),
            browser_tree: OnceCell::new(),
            written_tree: OnceCell::new(),
        }
    }

    /// The page as given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How many nodes match. Compiles each time; keep a [`Query`] to compile once.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the text is no selector, [`Error::Failed`] if it cannot be run.
    pub fn count(&self, kind: StrategyKind, text: &str) -> Result<usize, Error> {
        Ok(self.run(&Query::compile(kind, text)?, 0)?.count)
    }

    /// What matches, in document order. Compiles each time; keep a [`Query`] to compile once.
    ///
    /// # Errors
    /// As [`Document::count`].
    pub fn select(&self, kind: StrategyKind, text: &str) -> Result<Vec<Found>, Error> {
        Ok(self.run(&Query::compile(kind, text)?, usize::MAX)?.found)
    }

    /// Runs a compiled query, extracting at most `limit` values; the count is complete.
    ///
    /// # Errors
    /// [`Error::Failed`] if it cannot be run on this page.
    pub fn run(&self, query: &Query, limit: usize) -> Result<Matches, Error> {
        query.run(self, limit)
    }

    pub(crate) fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| parse::parse(&self.source))
    }

    pub(crate) fn xpath_tree(&self, names_tbody: bool) -> Result<&XpathItemTree, Error> {
        let browser = names_tbody || self.parsed().implied.is_empty();
        let cell = if browser { &self.browser_tree } else { &self.written_tree };
        cell.get_or_init(|| xpath::tree(self.parsed(), !browser)).as_ref().map_err(Clone::clone)
    }
}

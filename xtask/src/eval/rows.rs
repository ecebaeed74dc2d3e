use anyhow::{Context, Result, bail};
use cascade::{Document, Query, Selector, StrategyKind};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::path::Path;

/// What the corpus says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Label {
    Broken,
    Stable,
    Absent,
}

impl Label {
    pub(crate) const ALL: [Self; 3] = [Self::Broken, Self::Stable, Self::Absent];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Stable => "stable",
            Self::Absent => "absent",
        }
    }
}

/// One selector of the corpus.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) source: String,
    pub(crate) site: String,
    pub(crate) field: String,
    pub(crate) kind: String,
    pub(crate) selector: String,
    pub(crate) label: Label,
    pub(crate) old: String,
    pub(crate) new: String,
    #[serde(default)]
    pub(crate) old_url: Option<String>,
    #[serde(default)]
    pub(crate) new_url: Option<String>,
}

impl Row {
    /// The row as a selector with one strategy. The name does not tell the label.
    pub(crate) fn selector(&self, number: usize) -> Result<Selector> {
        let kind: StrategyKind = self.kind.parse().with_context(|| format!("row {}", self.id))?;
        let name = format!("{}.{}.{}.{number}", self.source, self.site, self.field);
        Ok(Selector::new(name).strategy(kind, self.selector.clone()))
    }
}

/// Reads the corpus, one row a line.
pub(crate) fn read(pairs: &Path) -> Result<Vec<Row>> {
    let bytes = fs::read(pairs).with_context(|| format!("cannot read {}", pairs.display()))?;
    let mut rows = Vec::new();
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row = serde_json::from_slice(line).with_context(|| {
            format!("{}, line {}: expected a row of the drift corpus", pairs.display(), at + 1)
        })?;
        rows.push(row);
    }
    if rows.is_empty() {
        bail!("{} holds no rows", pairs.display());
    }
    Ok(rows)
}

/// Rows that share their old and their new page, in the order of the corpus.
pub(crate) fn by_pair(rows: &[Row]) -> Vec<Vec<usize>> {
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let mut pairs: Vec<Vec<usize>> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let place = *places.entry((&row.old, &row.new)).or_insert_with(|| {
            pairs.push(Vec::new());
            pairs.len() - 1
        });
        pairs[place].push(at);
    }
    pairs
}

/// Why the engine cannot find the row's selector on its old page; `None` when it can.
pub(crate) fn why_not(row: &Row, old: &Document) -> Option<String> {
    let kind: StrategyKind = match row.kind.parse() {
        Ok(kind) => kind,
        Err(error) => return Some(format!("{error}")),
    };
    let query = match Query::compile(kind, &row.selector) {
        Ok(query) => query,
        Err(_) => return Some("the engine refuses the selector".into()),
    };
    match old.run(&query, 0) {
        Ok(matches) if matches.count > 0 => None,
        Ok(_) => Some("matches nothing on the old page".into()),
        Err(_) => Some("the engine fails on the old page".into()),
    }
}

/// Reads a page; bytes that are not UTF-8 become replacement characters, as in browsers.
pub(crate) fn page(pages: &Path, hash: &str) -> Result<Document> {
    let path = pages.join(format!("{hash}.html"));
    let bytes = fs::read(&path).with_context(|| {
        format!("cannot read page {}: unpack with `cargo xtask corpora`", path.display())
    })?;
    Ok(Document::parse(&String::from_utf8_lossy(&bytes)))
}

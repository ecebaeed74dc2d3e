//! Documents that must be complete: the list of decisions and the table of requirements.

use std::collections::BTreeMap;

use super::Finding;
use super::source::Source;

const DECISIONS: &str = "docs/adr/";
const DECISION_LIST: &str = "docs/adr/README.md";
const TRACEABILITY: &str = "docs/traceability.md";

/// Prefix and highest number of the requirements, which count from 001.
const REQUIREMENTS: [(&str, u32); 3] = [("T", 86), ("FR-", 10), ("SC-", 6)];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let text = |path: &str| {
        sources.iter().find(|source| source.path == path).map(|source| source.text.as_str())
    };
    let mut findings = decisions(sources, text(DECISION_LIST));
    match text(TRACEABILITY) {
        Some(table) => findings.extend(requirements(table)),
        None => {
            let message = "does not exist. Cure: write the table that says for each of T001 to \
                           T086, FR-001 to FR-010 and SC-001 to SC-006 where it lives";
            findings.push(Finding::failure(TRACEABILITY, message));
        }
    }
    findings
}

fn decisions(sources: &[Source], list: Option<&str>) -> Vec<Finding> {
    sources
        .iter()
        .filter_map(|source| source.path.strip_prefix(DECISIONS))
        .filter(|file| *file != "README.md" && file.ends_with(".md"))
        .filter(|file| !list.is_some_and(|list| list.contains(&format!("]({file})"))))
        .map(|file| {
            let message = format!("is not listed. Cure: add a link to {DECISION_LIST}");
            Finding::failure(format!("{DECISIONS}{file}"), message)
        })
        .collect()
}

fn requirements(table: &str) -> Vec<Finding> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for key in table.lines().filter_map(row_key) {
        *seen.entry(key).or_default() += 1;
    }
    REQUIREMENTS
        .iter()
        .flat_map(|(prefix, last)| (1..=*last).map(move |number| format!("{prefix}{number:03}")))
        .filter_map(|key| {
            let message = match seen.get(key.as_str()) {
                Some(1) => return None,
                Some(rows) => format!("{key} is the key of {rows} rows. Cure: make them one"),
                None => format!("{key} has no row. Cure: add `| {key} | … |`"),
            };
            Some(Finding::failure(TRACEABILITY, message))
        })
        .collect()
}

/// The first cell of a table row, without emphasis.
fn row_key(line: &str) -> Option<&str> {
    let cell = line.trim().strip_prefix('|')?.split('|').next()?;
    Some(cell.trim().trim_matches(['*', '`']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    fn full_table() -> String {
        let keys = REQUIREMENTS
            .iter()
            .flat_map(|(prefix, last)| (1..=*last).map(move |n| format!("{prefix}{n:03}")));
        keys.map(|key| format!("| {key} | somewhere |\n")).collect()
    }

    #[test]
    fn every_requirement_has_one_row() {
        assert!(requirements(&full_table()).is_empty());
        assert_eq!(full_table().lines().count(), 102);
        let table =
            full_table().replace("| T007 |", "| T008 |").replace("| SC-006", "| **SC-006**");
        assert_eq!(
            shown(&requirements(&table)),
            [
                "docs/traceability.md: T007 has no row. Cure: add `| T007 | … |`",
                "docs/traceability.md: T008 is the key of 2 rows. Cure: make them one",
            ]
        );
    }

    #[test]
    fn every_decision_is_listed() {
        let source = |path: &str| Source { path: path.into(), text: String::new() };
        let sources = [source("docs/adr/0001-a.md"), source("docs/adr/0002-b.md")];
        assert_eq!(
            shown(&decisions(&sources, Some("- [a](0001-a.md)"))),
            ["docs/adr/0002-b.md: is not listed. Cure: add a link to docs/adr/README.md"]
        );
        assert_eq!(decisions(&sources, None).len(), 2);
    }
}

//! The shape of a crate's `lib.rs`: docs, lints, modules and re-exports, nothing else.

use super::Finding;
use super::source::Source;

/// Words that begin an item which belongs in a file named for it.
const ITEMS: [&str; 9] =
    ["fn", "struct", "enum", "union", "trait", "impl", "const", "static", "macro_rules!"];

/// Words that may stand before an item.
const QUALIFIERS: [&str; 4] = ["pub", "async", "unsafe", "extern"];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    if !is_crate_root(&source.path) {
        return Vec::new();
    }
    items(&source.text)
        .into_iter()
        .map(|(line, item)| {
            Finding::failure(
                format!("{}:{line}", source.path),
                format!(
                    "`{item}` in lib.rs, which holds crate docs, lints, modules and re-exports. \
                     Cure: move it to a file named for its concept"
                ),
            )
        })
        .collect()
}

fn is_crate_root(path: &str) -> bool {
    path.strip_prefix("crates/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, rest)| rest == "src/lib.rs")
}

/// Line, counted from 1, and keyword of every item that is not a module or a re-export.
fn items(text: &str) -> Vec<(usize, &'static str)> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let word = line
                .split_whitespace()
                .take_while(|word| !word.starts_with("//"))
                .find(|word| !QUALIFIERS.contains(word) && !word.starts_with("pub("))?;
            let item = ITEMS
                .iter()
                .find(|item| **item == word || (**item == "impl" && word.starts_with("impl<")))?;
            Some((index + 1, *item))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_re_exports_are_fine() {
        let text = "#![doc = include_str!(\"../README.md\")]\n// fn is a word\n//! struct\n\
                    mod a;\npub mod b;\n#[cfg(feature = \"x\")]\npub use a::{\n    A,\n};\n";
        assert_eq!(items(text), []);
    }

    #[test]
    fn items_are_found_whatever_stands_before_them() {
        let text = "pub(crate) fn a() {}\npub struct B;\nimpl<T> B {}\npub async unsafe fn c() {}\n\
                    const D: u8 = 1;\nmacro_rules! e {}\n";
        let found: Vec<usize> = items(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn only_the_roots_of_crates_are_looked_at() {
        assert!(is_crate_root("crates/models/src/lib.rs"));
        assert!(!is_crate_root("crates/models/src/json/lib.rs"));
        assert!(!is_crate_root("examples/shop-site/src/lib.rs"));
    }
}

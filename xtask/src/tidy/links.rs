//! Relative links in Markdown files lead to a file or folder.

use std::path::Path;

use pulldown_cmark::{Event, Parser, Tag};

use super::Finding;
use super::source::Source;

pub(super) fn check(root: &Path, source: &Source) -> Vec<Finding> {
    if !source.is_markdown() {
        return Vec::new();
    }
    let file = root.join(&source.path);
    let folder = file.parent().unwrap_or(root);
    relative_links(&source.text)
        .into_iter()
        .filter(|(_, target)| !folder.join(target).exists())
        .map(|(line, target)| {
            Finding::failure(
                format!("{}:{line}", source.path),
                format!(
                    "the link to `{target}` leads nowhere. Cure: correct it, relative to this file"
                ),
            )
        })
        .collect()
}

/// Line, counted from 1, and path of every link and image that is not a URL or an anchor.
fn relative_links(text: &str) -> Vec<(usize, String)> {
    Parser::new(text)
        .into_offset_iter()
        .filter_map(|(event, range)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let path = dest_url.split(['#', '?']).next().unwrap_or_default();
                let line = text[..range.start].matches('\n').count() + 1;
                (!path.is_empty() && !is_url(path)).then(|| (line, path.replace("%20", " ")))
            }
            _ => None,
        })
        .collect()
}

/// Whether the target begins with a scheme (RFC 3986, section 3.1).
fn is_url(target: &str) -> bool {
    target.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_files_are_found_and_others_left_alone() {
        let text = "[a](b.md#part) ![c](d.png \"title\")\n\n[u](https://example.com/x) [h](#here)\n\
                    `[code](no.md)`\n\n```\n[fenced](no.md)\n```\n\n[r][ref] <mailto:a@b.example>\n\n\
                    [ref]: sub/e.md\n";
        assert_eq!(
            relative_links(text),
            [(1, "b.md".to_owned()), (1, "d.png".to_owned()), (10, "sub/e.md".to_owned())]
        );
    }
}

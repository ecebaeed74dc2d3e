//! The JSON Schemas in `docs/schema/`, generated from the types.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

const FOLDER: &str = "docs/schema";

/// Writes the schemas, or with `check` fails when a file differs from what would be written.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    let folder = workspace.root.join(FOLDER);
    for (name, schema) in telemetry_models::schema::documents() {
        let path = folder.join(name);
        let shown = workspace.relative(&path);
        let text = format!("{}\n", serde_json::to_string_pretty(&schema)?);
        if !check {
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {FOLDER}"))?;
            fs::write(&path, text).with_context(|| format!("cannot write {shown}"))?;
            println!("schema: wrote {shown}");
            continue;
        }
        let found = fs::read_to_string(&path)
            .with_context(|| format!("cannot read {shown}; `cargo xtask schema` writes it"))?;
        if let Some(line) = first_difference(&found, &text) {
            bail!(
                "{shown} differs from the types from line {line} on; if the change is meant, run \
                 `cargo xtask schema` and commit the file"
            );
        }
        println!("schema: {shown} matches the types");
    }
    Ok(())
}

/// The first line, counted from 1, in which the texts differ.
fn first_difference(found: &str, expected: &str) -> Option<usize> {
    if found == expected {
        return None;
    }
    let same =
        found.lines().zip(expected.lines()).take_while(|(found, expected)| found == expected);
    Some(same.count() + 1)
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn names_the_first_line_that_differs() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
        assert_eq!(first_difference("a", "a\n"), Some(2));
    }
}

//! What the compiler does not check: the shape of files, manifests and documents.

mod documents;
mod length;
mod links;
mod manifests;
mod shape;
mod source;
mod words;

use std::fmt;

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// One thing that is not as it should be.
pub(crate) struct Finding {
    /// From the root, with the line where there is one.
    place: String,
    message: String,
    fatal: bool,
}

impl Finding {
    fn failure(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), fatal: true }
    }

    fn warning(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { fatal: false, ..Self::failure(place, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = if self.fatal { "" } else { "warning: " };
        write!(f, "{}: {level}{}", self.place, self.message)
    }
}

/// Prints every finding; fails if one of them is more than a warning.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let sources = source::collect(&workspace.root)?;
    let mut findings = manifests::check(workspace);
    findings.extend(documents::check(&sources));
    for source in &sources {
        findings.extend(length::check(source));
        findings.extend(shape::check(source));
        findings.extend(words::check(source));
        findings.extend(links::check(&workspace.root, source));
    }
    for finding in &findings {
        println!("tidy: {finding}");
    }
    let failures = findings.iter().filter(|finding| finding.fatal).count();
    if failures > 0 {
        bail!("{failures} thing(s) to tidy up");
    }
    println!("tidy: {} files, {} warning(s)", sources.len(), findings.len());
    Ok(())
}

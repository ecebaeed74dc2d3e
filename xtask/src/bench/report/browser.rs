//! How long Chromium takes to draw a file.

use crate::bench::browser::Session;
use anyhow::{Context, Result};
use std::path::Path;

const ROUNDS: usize = 9;

/// Median time from the start of the navigation until the page is loaded and painted, in
/// milliseconds.
pub(super) fn drawn_ms(file: &Path) -> Result<f64> {
    let mut session = Session::start()?;
    let url = format!("file://{}", file.display());
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        session.open("about:blank")?;
        session.open(&url)?;
        let told = session.run(
            "const done = arguments[arguments.length - 1];
             requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));",
        )?;
        times.push(told.as_f64().context("no time")?);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[ROUNDS / 2])
}

use super::browser::{AGENT, Browser};
use super::pace::Pace;
use super::shop;
use super::stage::Stage;
use crate::exit::Stop;
use cascade::Document;
use shop_site::{SiteServer, Version, catalogue};
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::Telemetry;
use telemetry_runtime::integration::CascadeEngine;
use telemetry_runtime::interfaces::{Clock, Code, Error, ErrorKind};
use telemetry_runtime::models::{PageContext, SessionId, Timestamp};

/// Visits of every page before the change, so that each rule knows what is usual: a baseline of 10
/// operations that have left a window of 15, and some to spare.
const VISITS_BEFORE: u64 = 30;
/// Visits of every page after the change: a window of 15, and some to spare.
const VISITS_AFTER: u64 = 20;
/// A machine too slow for these numbers is not waited for longer than three times the plan and this.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// All of it; the change comes half-way.
    pub(crate) length: Duration,
    /// Operations per second.
    pub(crate) rate: u64,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Selectors resolved.
    pub(crate) operations: u64,
    /// Pages fetched.
    pub(crate) pages: u64,
    /// Complete visits of the shop after the change.
    pub(crate) visits_after: u64,
    /// Time it took.
    pub(crate) elapsed: Duration,
    /// When the shop was redesigned.
    pub(crate) changed_at: Option<Timestamp>,
    /// Whether somebody ended it early.
    pub(crate) interrupted: bool,
}

/// Visits the shop again and again, resolves every selector of each page, and lets the shop change
/// half-way.
///
/// # Errors
/// When a page cannot be fetched, or nothing can be shown.
pub(crate) async fn drive(
    site: &SiteServer,
    telemetry: &Telemetry,
    plan: &Plan,
    stage: &mut Stage<'_>,
) -> Result<Tally, Stop> {
    let pages = shop::pages(&catalogue())?;
    let session = SessionId::new("demo").map_err(|error| {
        Error::new(ErrorKind::Internal, Code::Processing, "no name for a session").source(error)
    })?;
    let engine = telemetry.observe(CascadeEngine::default());
    let mut browser = Browser::new(site.base_url());
    let mut pace = Pace::new(plan.rate, stage.elapsed());
    let mut interrupt = pin!(interrupt());
    let mut tally = Tally::default();
    for (version, least) in [(Version::V1, VISITS_BEFORE), (Version::V2, VISITS_AFTER)] {
        if version == Version::V2 {
            tally.changed_at = Some(stage.clock().utc());
            site.switch_to(version);
            stage.changed()?;
        }
        let half = Half { begun: stage.elapsed(), length: plan.length / 2, least };
        let mut visits = 0;
        while !half.is_over(stage.elapsed(), visits) {
            for page in &pages {
                let wait = pace.wait(page.selectors.len(), stage.elapsed());
                tokio::select! {
                    biased;
                    () = &mut interrupt => tally.interrupted = true,
                    () = tokio::time::sleep(wait) => {}
                }
                if tally.interrupted || stage.is_deserted() {
                    tally.interrupted = true;
                    tally.elapsed = stage.elapsed();
                    return Ok(tally);
                }
                let document = Document::parse(&browser.get(page.path).await?);
                let context = engine.enter(&PageContext {
                    session: Some(session.clone()),
                    user_agent: Some(Arc::from(AGENT)),
                    ..PageContext::at(&browser.url(page.path))
                });
                for selector in &page.selectors {
                    engine.resolve(&document, Some(context), selector);
                }
                tally.operations += page.selectors.len() as u64;
                tally.pages += 1;
                stage.announce(tally.changed_at)?;
                stage.show(tally.operations, || telemetry.ledger().stored);
            }
            visits += 1;
        }
        tally.visits_after = visits;
    }
    tally.elapsed = stage.elapsed();
    Ok(tally)
}

/// Ends when the user presses Ctrl-C. Where that cannot be heard of, the system ends the process as
/// usual, and this never ends.
async fn interrupt() {
    if tokio::signal::ctrl_c().await.is_err() {
        pending::<()>().await;
    }
}

/// The time before or after the change.
#[derive(Clone, Copy, Debug)]
struct Half {
    begun: Duration,
    length: Duration,
    least: u64,
}

impl Half {
    fn is_over(&self, now: Duration, visits: u64) -> bool {
        let elapsed = now.saturating_sub(self.begun);
        elapsed >= self.length && (visits >= self.least || elapsed >= self.length * 3 + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::Half;
    use std::time::Duration;

    #[test]
    fn a_half_lasts_until_there_is_enough_to_judge_by() {
        let s = Duration::from_secs;
        let half = Half { begun: s(10), length: s(10), least: 20 };
        assert!(!half.is_over(s(19), 100));
        assert!(half.is_over(s(20), 20));
        assert!(!half.is_over(s(20), 19));
        assert!(!half.is_over(s(59), 19));
        assert!(half.is_over(s(60), 19), "but not for ever");
    }
}

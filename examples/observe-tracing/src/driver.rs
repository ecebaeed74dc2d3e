//! Stands for a browser driver: it has never heard of telemetry.

use std::fmt;
use tracing::instrument;

pub(crate) struct Page {
    pub(crate) has: Vec<&'static str>,
}

#[derive(Debug)]
pub(crate) struct TimedOut(String);

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out waiting for {}", self.0)
    }
}

impl Page {
    #[instrument(skip(self), err)]
    pub(crate) fn click(&self, selector: &str) -> Result<(), TimedOut> {
        self.locate(selector)
    }

    #[instrument(skip(self))]
    fn locate(&self, selector: &str) -> Result<(), TimedOut> {
        let found = self.has.contains(&selector);
        found.then_some(()).ok_or_else(|| TimedOut(selector.to_owned()))
    }
}

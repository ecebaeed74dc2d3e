//! Page objects of a browser test: they have never heard of telemetry, but say what they do in
//! `tracing` spans.

use fantoccini::error::CmdError;
use fantoccini::{Client, Locator};
use std::time::Duration;
use tracing::instrument;

/// How long a lookup waits for its element.
const PATIENCE: Duration = Duration::from_millis(500);

pub(crate) struct Page {
    pub(crate) browser: Client,
}

impl Page {
    #[instrument(skip(self), err)]
    pub(crate) async fn read(&self, selector: &str) -> Result<String, CmdError> {
        let locator = match selector.starts_with("//") {
            true => Locator::XPath(selector),
            false => Locator::Css(selector),
        };
        self.browser.wait().at_most(PATIENCE).for_element(locator).await?.text().await
    }
}

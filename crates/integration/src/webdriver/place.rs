use telemetry_interfaces::PageHandle;

/// Where a browser session is, as far as the program's own commands told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Place {
    /// The page; unknown before the first navigation and after a step in the history.
    pub(crate) page: Option<PageHandle>,
    /// Its URL.
    pub(crate) url: Option<String>,
    /// Whether the last navigation failed, so that nothing can be found there.
    pub(crate) unreached: bool,
}

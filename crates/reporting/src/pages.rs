//! What is known of the pages that events of the moment are on.

use crate::recommend::visited;
use std::sync::Arc;
use telemetry_aggregation::PageFacts;
use telemetry_models::PageContext;

/// Pages that are remembered at once.
const SLOTS: usize = 1_024;

/// Remembers pages by their address: events of one page share it, and what their texts tell needs
/// to be worked out only once.
#[derive(Debug)]
pub(crate) struct Pages {
    recent: Vec<Option<Remembered>>,
}

#[derive(Clone, Debug)]
struct Remembered {
    page: Arc<PageContext>,
    known: KnownPage,
    events: u64,
}

/// What a page's texts tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KnownPage {
    pub(crate) facts: PageFacts,
    /// Tells one stay on a page from another.
    pub(crate) visit: u64,
    /// Where in the URL the site stands.
    site: (usize, usize),
}

impl Default for Pages {
    fn default() -> Self {
        Self { recent: vec![None; SLOTS] }
    }
}

impl Pages {
    /// Takes an event on a page. `come` hears of pages that were not remembered, `gone` of those
    /// that are not any more, with the number of events taken in between.
    pub(crate) fn add(
        &mut self,
        page: &Arc<PageContext>,
        come: impl FnOnce(&PageContext),
        gone: impl FnOnce(&PageContext, u64),
    ) -> KnownPage {
        let address = Arc::as_ptr(page) as usize;
        let slot = &mut self.recent[address / size_of::<PageContext>() % SLOTS];
        if let Some(known) = slot.as_mut().filter(|it| Arc::ptr_eq(&it.page, page)) {
            known.events += 1;
            return known.known;
        }
        come(page);
        let known = KnownPage::of(page);
        let before = slot.replace(Remembered { page: Arc::clone(page), known, events: 1 });
        if let Some(before) = before {
            gone(&before.page, before.events);
        }
        known
    }

    /// Forgets all pages; `gone` hears of them.
    pub(crate) fn settle(&mut self, mut gone: impl FnMut(&PageContext, u64)) {
        for before in self.recent.iter_mut().filter_map(Option::take) {
            gone(&before.page, before.events);
        }
    }
}

impl KnownPage {
    fn of(page: &PageContext) -> Self {
        let site = match (page.url.as_deref(), page.site()) {
            (Some(url), Some(site)) => {
                let start = site.as_ptr() as usize - url.as_ptr() as usize;
                (start, start + site.len())
            }
            _ => (0, 0),
        };
        Self { facts: PageFacts::of(page), visit: visited(page), site }
    }

    /// The site of the page that this is known of; empty without one.
    pub(crate) fn site<'p>(&self, page: Option<&'p Arc<PageContext>>) -> &'p str {
        let url = page.and_then(|page| page.url.as_deref()).unwrap_or_default();
        url.get(self.site.0..self.site.1).unwrap_or_default()
    }
}

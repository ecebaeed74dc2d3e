use crate::CoarseHistogram;
use crate::distinct::fingerprint;
use telemetry_models::{Confidence, Event, PageContext};

/// What several summaries need to know of an event, worked out once for all of them.
#[derive(Clone, Copy, Debug)]
pub struct EventFacts {
    /// Of the page it took place on.
    pub page: PageFacts,
    /// [`Event::confidence`].
    pub(crate) confidence: Option<Confidence>,
    /// [`Event::fallback_depth`].
    pub(crate) depth: Option<u32>,
    /// Bin of [`Event::duration`].
    pub(crate) coarse_bin: Option<i16>,
}

/// What is known of a page, for all events on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageFacts {
    /// Fingerprint of the URL.
    pub url: Option<u64>,
    /// Fingerprint of the URL's template.
    pub template: Option<u64>,
}

impl PageFacts {
    /// Works them out.
    pub fn of(page: &PageContext) -> Self {
        Self {
            url: page.url.as_deref().map(fingerprint),
            template: page.url_template.as_deref().map(fingerprint),
        }
    }
}

impl EventFacts {
    /// Works them out.
    pub fn of(event: &Event) -> Self {
        Self::on_page(event, event.page.as_deref().map(PageFacts::of).unwrap_or_default())
    }

    /// The same, for an event on a page of which they are known.
    pub fn on_page(event: &Event, page: PageFacts) -> Self {
        Self {
            page,
            confidence: event.confidence(),
            depth: event.fallback_depth(),
            coarse_bin: event.duration().map(CoarseHistogram::bin_of),
        }
    }

    /// What is needed where no timeline is.
    pub(crate) fn off_timeline(event: &Event) -> Self {
        Self {
            page: event.page.as_deref().map(PageFacts::of).unwrap_or_default(),
            confidence: event.confidence(),
            depth: event.fallback_depth(),
            coarse_bin: None,
        }
    }
}

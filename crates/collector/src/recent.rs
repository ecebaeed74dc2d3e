use foldhash::fast::RandomState;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use telemetry_models::{PageContext, SelectorDefinition};

/// Pages, and selectors, a thread remembers before it starts over.
const KEPT: usize = 1_024;

/// What a thread made known lately, as it was given, with the handles it got: an engine that names
/// page or selector at every operation pays for one look-up instead of redaction and a lock shared
/// with other threads. One page per URL, one definition per name: the last.
struct Recent {
    collector: u32,
    pages: HashMap<Arc<str>, (PageContext, u32), RandomState>,
    selectors: HashMap<Arc<str>, (SelectorDefinition, u32), RandomState>,
}

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::new(Recent {
        collector: 0,
        pages: HashMap::default(),
        selectors: HashMap::default(),
    });
}

/// The handle a page got from this collector on this thread.
#[inline]
pub(crate) fn page(collector: u32, page: &PageContext) -> Option<u32> {
    let url = page.url.as_deref()?;
    with(collector, |recent| {
        let (known, handle) = recent.pages.get(url)?;
        (known == page).then_some(*handle)
    })
}

/// The handle a definition got from this collector on this thread.
#[inline]
pub(crate) fn selector(collector: u32, definition: &SelectorDefinition) -> Option<u32> {
    with(collector, |recent| {
        let (known, handle) = recent.selectors.get(definition.name.as_str())?;
        (known == definition).then_some(*handle)
    })
}

#[cold]
pub(crate) fn remember_page(collector: u32, page: &PageContext, handle: u32) {
    let Some(url) = &page.url else { return };
    with(collector, |recent| {
        make_room(&mut recent.pages);
        recent.pages.insert(Arc::clone(url), (page.clone(), handle));
        Some(())
    });
}

#[cold]
pub(crate) fn remember_selector(collector: u32, definition: &SelectorDefinition, handle: u32) {
    with(collector, |recent| {
        make_room(&mut recent.selectors);
        recent.selectors.insert(definition.name.shared(), (definition.clone(), handle));
        Some(())
    });
}

/// `None` also when the thread is ending and its storage is gone.
#[inline]
fn with<R>(collector: u32, look: impl FnOnce(&mut Recent) -> Option<R>) -> Option<R> {
    let found = RECENT.try_with(|recent| {
        let mut recent = recent.try_borrow_mut().ok()?;
        if recent.collector != collector {
            *recent =
                Recent { collector, pages: HashMap::default(), selectors: HashMap::default() };
        }
        look(&mut recent)
    });
    found.ok().flatten()
}

fn make_room<V>(known: &mut HashMap<Arc<str>, V, RandomState>) {
    if known.len() >= KEPT {
        known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_to_the_collector_it_was_given_to_until_anything_about_it_changes() {
        let first = PageContext::at("https://shop.test/1");
        assert_eq!(page(7, &first), None);
        remember_page(7, &first, 3);
        assert_eq!(page(7, &first), Some(3));
        let renamed = PageContext { title: Some("Sale".into()), ..first.clone() };
        assert_eq!(page(7, &renamed), None);
        assert_eq!(page(8, &first), None);
        assert_eq!(page(7, &first), None, "another collector took its place");
    }

    #[test]
    fn pages_without_end_are_not_kept_without_end() {
        for at in 0..3 * KEPT {
            remember_page(9, &PageContext::at(&format!("https://shop.test/{at}")), 0);
        }
        let kept = RECENT.with_borrow(|recent| recent.pages.len());
        assert!(kept <= KEPT, "{kept}");
    }
}

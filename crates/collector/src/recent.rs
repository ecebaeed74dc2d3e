use foldhash::fast::RandomState;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use telemetry_models::{PageContext, SelectorDefinition};

/// Pages, and selectors, a thread remembers before it starts over.
const KEPT: usize = 1_024;
/// Places for their addresses: a power of two.
const PLACES: usize = 4_096;

/// What a thread made known lately, as it was given, with the handles it got: an engine that names
/// page or selector at every operation pays for one look-up instead of redaction and a lock shared
/// with other threads. One page per URL, one definition per name: the last.
struct Recent {
    collector: u32,
    pages: Known<PageContext>,
    selectors: Known<SelectorDefinition>,
}

/// Found by the address of its text where the caller kept it, which costs no look at the text; by
/// the text where the caller built it again.
struct Known<T> {
    entries: Vec<(T, u32)>,
    /// Which entry a text at an address may be; nothing is believed without a comparison.
    near: Box<[u16; PLACES]>,
    by_text: HashMap<Arc<str>, u16, RandomState>,
}

impl<T: Clone + PartialEq> Known<T> {
    fn new() -> Self {
        Self { entries: Vec::new(), near: Box::new([0; PLACES]), by_text: HashMap::default() }
    }

    /// The handle of what is equal in every field; texts that are shared are compared by address.
    #[inline]
    fn find(&mut self, text: &str, wanted: &T) -> Option<u32> {
        match self.entries.get(usize::from(self.near[place(text)])) {
            Some((known, handle)) if known == wanted => Some(*handle),
            _ => self.find_by_text(text, wanted),
        }
    }

    #[inline(never)]
    fn find_by_text(&mut self, text: &str, wanted: &T) -> Option<u32> {
        let at = *self.by_text.get(text)?;
        let (known, handle) = &self.entries[usize::from(at)];
        if known != wanted {
            return None;
        }
        self.near[place(text)] = at;
        Some(*handle)
    }

    fn remember(&mut self, text: Arc<str>, known: &T, handle: u32) {
        if self.entries.len() >= KEPT {
            self.entries.clear();
            self.by_text.clear();
        }
        let at = match self.by_text.get(&text) {
            Some(at) => *at,
            None => u16::try_from(self.entries.len()).unwrap_or(u16::MAX),
        };
        self.near[place(&text)] = at;
        match self.entries.get_mut(usize::from(at)) {
            Some(entry) => *entry = (known.clone(), handle),
            None => self.entries.push((known.clone(), handle)),
        }
        self.by_text.insert(text, at);
    }
}

/// Where a text at this address is looked for. The multiplication spreads neighbours in memory
/// (Knuth, *The Art of Computer Programming* 3, section 6.4).
#[inline]
fn place(text: &str) -> usize {
    let spread = (text.as_ptr() as u64 >> 3).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (spread >> (64 - PLACES.trailing_zeros())) as usize
}

thread_local! {
    static RECENT: RefCell<Option<Recent>> = const { RefCell::new(None) };
}

/// The handle a page got from this collector on this thread.
#[inline]
pub(crate) fn page(collector: u32, page: &PageContext) -> Option<u32> {
    let url = page.url.as_deref()?;
    with(collector, |recent| recent.pages.find(url, page))
}

/// The handle a definition got from this collector on this thread.
#[inline]
pub(crate) fn selector(collector: u32, definition: &SelectorDefinition) -> Option<u32> {
    with(collector, |recent| recent.selectors.find(definition.name.as_str(), definition))
}

#[cold]
pub(crate) fn remember_page(collector: u32, page: &PageContext, handle: u32) {
    let Some(url) = &page.url else { return };
    with(collector, |recent| {
        recent.pages.remember(Arc::clone(url), page, handle);
        Some(())
    });
}

#[cold]
pub(crate) fn remember_selector(collector: u32, definition: &SelectorDefinition, handle: u32) {
    with(collector, |recent| {
        recent.selectors.remember(definition.name.shared(), definition, handle);
        Some(())
    });
}

/// `None` also when the thread is ending and its storage is gone.
#[inline]
fn with<R>(collector: u32, look: impl FnOnce(&mut Recent) -> Option<R>) -> Option<R> {
    let found = RECENT.try_with(|recent| {
        let mut recent = recent.try_borrow_mut().ok()?;
        match &mut *recent {
            Some(recent) if recent.collector == collector => look(recent),
            other => look(other.insert(start_over(collector))),
        }
    });
    found.ok().flatten()
}

#[cold]
#[inline(never)]
fn start_over(collector: u32) -> Recent {
    Recent { collector, pages: Known::new(), selectors: Known::new() }
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
    fn a_page_that_was_built_again_is_known_by_its_text() {
        let built = || PageContext::at("https://shop.test/1");
        let kept = built();
        remember_page(6, &kept, 3);
        for _ in 0..3 {
            assert_eq!(page(6, &built()), Some(3));
            assert_eq!(page(6, &kept), Some(3));
        }
    }

    #[test]
    fn pages_without_end_are_not_kept_without_end() {
        for at in 0..3 * KEPT {
            remember_page(9, &PageContext::at(&format!("https://shop.test/{at}")), 0);
        }
        let kept = RECENT.with_borrow(|recent| recent.as_ref().map(|it| it.pages.by_text.len()));
        assert!(kept.is_some_and(|kept| kept <= KEPT), "{kept:?}");
    }
}

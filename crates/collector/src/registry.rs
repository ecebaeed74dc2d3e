use parking_lot::RwLock;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use telemetry_models::{PageContext, SelectorDefinition};

/// Selector definitions, pages and engine names by handle. Read by the pipeline, written when an
/// engine's thread meets something new; never touched by an operation itself.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    selectors: RwLock<Interned<SelectorDefinition>>,
    pages: RwLock<Pages>,
    engines: RwLock<Vec<Arc<str>>>,
    /// The handle the next page gets, for those who do not hold the lock.
    next_page: AtomicU32,
}

#[derive(Debug)]
struct Interned<T> {
    by_handle: Vec<Arc<T>>,
    by_name: HashMap<Arc<str>, Vec<u32>>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { by_handle: Vec::new(), by_name: HashMap::new() }
    }
}

/// The last pages by handle. A crawler meets pages without end, so the oldest are forgotten once
/// nothing that could still refer to them is on its way.
#[derive(Debug, Default)]
struct Pages {
    by_handle: HashMap<u32, Arc<PageContext>>,
    by_content: HashMap<Arc<PageContext>, u32>,
    next: u32,
    oldest: u32,
}

thread_local! {
    /// The engine this thread named last.
    static LAST_ENGINE: Cell<LastEngine> = const { Cell::new(LastEngine::NONE) };
}

/// An engine's name in place, in words: asking for it again follows no pointer and, where the name is
/// known when compiling, compares numbers.
#[derive(Clone, Copy)]
struct LastEngine {
    /// 0 for none: collectors count from 1.
    collector: u32,
    handle: u16,
    len: u8,
    name: PackedName,
}

type PackedName = [u64; 4];

/// A name of at most 32 bytes, zeros behind it.
#[inline(always)]
fn pack(name: &str) -> Option<PackedName> {
    let mut bytes = [0; 32];
    bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
    let (words, _) = bytes.as_chunks::<8>();
    Some([0, 1, 2, 3].map(|at| u64::from_le_bytes(words[at])))
}

impl LastEngine {
    const NONE: Self = Self { collector: 0, handle: 0, len: 0, name: [0; 4] };

    /// A longer name is looked up each time.
    fn new(collector: u32, handle: u16, name: &str) -> Self {
        match (pack(name), u8::try_from(name.len())) {
            (Some(packed), Ok(len)) => Self { collector, handle, len, name: packed },
            _ => Self::NONE,
        }
    }

    #[inline(always)]
    fn is(&self, collector: u32, name: &str) -> bool {
        self.collector == collector
            && usize::from(self.len) == name.len()
            && pack(name) == Some(self.name)
    }
}

/// Pages that are remembered. A handle older than so many later pages stands for nothing any more.
const PAGES_KEPT: usize = 65_536;

impl Registry {
    pub(crate) fn selector(&self, definition: &SelectorDefinition) -> u32 {
        let find = |interned: &Interned<SelectorDefinition>| {
            let handles = interned.by_name.get(definition.name.as_str())?;
            handles.iter().copied().find(|at| *interned.by_handle[*at as usize] == *definition)
        };
        if let Some(handle) = find(&self.selectors.read()) {
            return handle;
        }
        let mut selectors = self.selectors.write();
        if let Some(handle) = find(&selectors) {
            return handle;
        }
        let handle = u32::try_from(selectors.by_handle.len()).unwrap_or(u32::MAX);
        selectors.by_handle.push(Arc::new(definition.clone()));
        selectors.by_name.entry(definition.name.shared()).or_default().push(handle);
        handle
    }

    pub(crate) fn definition(&self, handle: u32) -> Option<Arc<SelectorDefinition>> {
        self.selectors.read().by_handle.get(handle as usize).cloned()
    }

    pub(crate) fn page(&self, page: PageContext) -> u32 {
        // One that would soon be forgotten gets another handle, and so another while.
        let known = |pages: &Pages| {
            pages.by_content.get(&page).copied().filter(|handle| self.keeps_page(*handle))
        };
        if let Some(handle) = known(&self.pages.read()) {
            return handle;
        }
        let mut pages = self.pages.write();
        if let Some(handle) = known(&pages) {
            return handle;
        }
        let handle = pages.next;
        // The highest value stands for "no page" in a record.
        pages.next = if handle == u32::MAX - 1 { 0 } else { handle + 1 };
        self.next_page.store(pages.next, Ordering::Relaxed);
        let page = Arc::new(page);
        pages.by_handle.insert(handle, Arc::clone(&page));
        pages.by_content.insert(page, handle);
        while pages.by_handle.len() > PAGES_KEPT {
            let oldest = pages.oldest;
            pages.oldest = if oldest == u32::MAX - 1 { 0 } else { oldest + 1 };
            if let Some(forgotten) = pages.by_handle.remove(&oldest)
                && pages.by_content.get(&forgotten) == Some(&oldest)
            {
                pages.by_content.remove(&forgotten);
            }
        }
        handle
    }

    /// Whether a page will be remembered for a good while. It is forgotten when so many others came
    /// after it; half of them is close enough to ask for a new handle.
    #[inline]
    pub(crate) fn keeps_page(&self, handle: u32) -> bool {
        let since = self.next_page.load(Ordering::Relaxed).wrapping_sub(handle);
        (since as usize) < PAGES_KEPT / 2
    }

    pub(crate) fn page_context(&self, handle: u32) -> Option<Arc<PageContext>> {
        self.pages.read().by_handle.get(&handle).cloned()
    }

    /// The handle of an engine's name; 0 for an empty name. Takes a lock: see
    /// [`engine_cached`](Self::engine_cached).
    fn engine(&self, name: &str) -> u16 {
        if name.is_empty() {
            return 0;
        }
        let find = |engines: &Vec<Arc<str>>| engines.iter().position(|it| **it == *name);
        let known = find(&self.engines.read());
        let at = known.unwrap_or_else(|| {
            let mut engines = self.engines.write();
            find(&engines).unwrap_or_else(|| {
                engines.push(name.into());
                engines.len() - 1
            })
        });
        u16::try_from(at + 1).unwrap_or(0)
    }

    /// The handle of an engine's name. A thread remembers the last name it asked for, which is
    /// nearly always the only one. `id` is the collector's.
    #[inline(always)]
    pub(crate) fn engine_cached(&self, id: u32, name: &str) -> u16 {
        let last = LAST_ENGINE.get();
        if last.is(id, name) {
            return last.handle;
        }
        self.remember_engine(id, name)
    }

    #[cold]
    #[inline(never)]
    fn remember_engine(&self, id: u32, name: &str) -> u16 {
        let handle = self.engine(name);
        LAST_ENGINE.set(LastEngine::new(id, handle, name));
        handle
    }

    pub(crate) fn engine_name(&self, handle: u16) -> Option<Arc<str>> {
        self.engines.read().get(usize::from(handle).checked_sub(1)?).cloned()
    }
}

use crate::registry::Registry;
use std::sync::Arc;
use telemetry_models::{PageContext, SelectorDefinition};

/// Pages that are remembered.
const PAGES: usize = 256;

/// The pipeline's view of the registry: what it looked up lately, without lock and hashing.
#[derive(Debug)]
pub(crate) struct Reader {
    /// By handle.
    definitions: Vec<Arc<SelectorDefinition>>,
    /// By handle modulo their number.
    pages: Vec<Option<(u32, Arc<PageContext>)>>,
}

impl Default for Reader {
    fn default() -> Self {
        Self { definitions: Vec::new(), pages: vec![None; PAGES] }
    }
}

impl Reader {
    /// What a selector's handle stands for.
    pub(crate) fn definition(
        &mut self,
        handle: u32,
        registry: &Registry,
    ) -> Option<Arc<SelectorDefinition>> {
        let at = handle as usize;
        while self.definitions.len() <= at {
            let next = u32::try_from(self.definitions.len()).ok()?;
            self.definitions.push(registry.definition(next)?);
        }
        self.definitions.get(at).cloned()
    }

    /// What a page's handle stands for, unless it was forgotten.
    pub(crate) fn page(&mut self, handle: u32, registry: &Registry) -> Option<Arc<PageContext>> {
        let place = &mut self.pages[handle as usize % PAGES];
        match place {
            Some((known, page)) if *known == handle => Some(Arc::clone(page)),
            _ => {
                let page = registry.page_context(handle)?;
                *place = Some((handle, Arc::clone(&page)));
                Some(page)
            }
        }
    }
}

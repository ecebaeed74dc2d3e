//! Where operations took place, counted.

use crate::tally::Tally;
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_models::PageContext;

/// Viewports whose texts are kept.
const MAX_VIEWPORTS: usize = 1_024;

/// Operations by URL template, agent and viewport.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    pub(crate) url_templates: Tally<256>,
    pub(crate) agents: Tally<64>,
    pub(crate) viewports: Tally<64>,
    /// The texts of viewports, which pages have as numbers.
    viewport_texts: BTreeMap<(u32, u32), Arc<str>>,
}

impl Contexts {
    /// Adds so many operations on a page.
    pub(crate) fn add(&mut self, page: &PageContext, operations: u64) {
        if let Some(template) = &page.url_template {
            self.url_templates.add(template, operations);
        }
        if let Some(agent) = &page.user_agent {
            self.agents.add(agent, operations);
        }
        if let Some(size) = page.viewport {
            let text = self
                .viewport_texts
                .entry((size.width, size.height))
                .or_insert_with(|| format!("{} × {}", size.width, size.height).into());
            self.viewports.add(text, operations);
            if self.viewport_texts.len() > MAX_VIEWPORTS {
                self.viewport_texts.clear();
            }
        }
    }

    /// Brings everything that was gathered into the counts.
    pub(crate) fn settle(&mut self) {
        self.url_templates.settle();
        self.agents.settle();
        self.viewports.settle();
    }

    /// Adds what another counted; both are settled afterwards.
    pub(crate) fn merge(&mut self, other: &mut Self) {
        self.url_templates.merge(&mut other.url_templates);
        self.agents.merge(&mut other.agents);
        self.viewports.merge(&mut other.viewports);
    }
}

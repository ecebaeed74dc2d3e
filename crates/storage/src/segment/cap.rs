//! Bounds the selectors that are told apart: each costs memory in every reader, and a row in rollups.

use super::index::Index;
use std::collections::HashSet;
use telemetry_models::{Event, SelectorName};

/// The selector of the events beyond the bound.
pub(super) const OTHER: &str = "__other__";
/// The attribute that keeps their name.
const ATTRIBUTE: &str = "telemetry.selector";

/// The events that go under [`OTHER`], each in its place; empty when none does.
pub(super) fn beyond(events: &[&Event], index: &Index, most: u32) -> Vec<Option<Event>> {
    let known = index.selectors.names.len();
    // The usual case costs nothing.
    if known + events.len() <= most as usize {
        return Vec::new();
    }
    let mut fresh = HashSet::new();
    let other = |event: &&Event| {
        let name = event.selector.as_str();
        if name == OTHER || index.selectors.knows(name) || fresh.contains(name) {
            return None;
        }
        if known + fresh.len() < most as usize {
            fresh.insert(event.selector.as_str().to_owned());
            return None;
        }
        let mut event = Event::clone(event);
        event.attributes.insert(ATTRIBUTE.into(), event.selector.shared());
        event.selector = SelectorName::new(OTHER).expect("it is not blank");
        Some(event)
    };
    events.iter().map(other).collect()
}

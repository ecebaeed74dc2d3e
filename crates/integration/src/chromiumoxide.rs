//! Observation of `chromiumoxide`, a client of the Chrome DevTools Protocol.

mod lookup;
mod meaning;
mod page;
mod selector;

pub use page::{ObserveElement, ObservePage, ObservedElement, ObservedPage};
pub use selector::{CdpObserver, CdpSelector, CdpStrategies};

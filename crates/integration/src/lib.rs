#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod asynchronous;
// The `cascade` engine, a multi-strategy engine over HTML.
#[cfg(feature = "cascade")]
mod cascade;
// Lookups of the `chromiumoxide` crate.
#[cfg(feature = "chromiumoxide")]
mod chromiumoxide;
// Lookups of the `fantoccini` crate.
#[cfg(feature = "fantoccini")]
mod fantoccini;
mod instrumented;
// Selectors by name, for adapters.
#[cfg(any(
    feature = "chromiumoxide",
    feature = "fantoccini",
    feature = "scraper",
    feature = "thirtyfour",
    feature = "tracing",
))]
mod names;
// Selectors by name or by text, for adapters that meet texts as they come.
#[cfg(any(
    feature = "chromiumoxide",
    feature = "fantoccini",
    feature = "thirtyfour",
    feature = "tracing",
))]
mod registered;
mod shadow;
// Selections of the `scraper` crate.
#[cfg(feature = "scraper")]
mod scraper;
// Requests of the `thirtyfour` crate.
#[cfg(feature = "thirtyfour")]
mod thirtyfour;
// Spans of engines that emit them.
#[cfg(feature = "tracing")]
mod tracing_layer;
// What the WebDriver clients have in common.
#[cfg(any(feature = "fantoccini", feature = "thirtyfour"))]
mod webdriver;

#[cfg(feature = "cascade")]
pub use cascade::CascadeEngine;
#[cfg(feature = "chromiumoxide")]
pub use chromiumoxide::{
    CdpObserver, CdpSelector, CdpStrategies, ObserveElement, ObservePage, ObservedElement,
    ObservedPage,
};
#[cfg(feature = "fantoccini")]
pub use fantoccini::{NamedLocator, ObserveClient, ObservedClient, ObservedRoot};
pub use instrumented::Instrumented;
#[cfg(feature = "scraper")]
pub use scraper::{ObservedSelect, ObservedSelector, ScraperObserver};
pub use shadow::{Probed, ShadowProbes};
#[cfg(feature = "thirtyfour")]
pub use thirtyfour::{Matches, NamedQuery, ObservedHttpClient};
#[cfg(feature = "tracing")]
pub use tracing_layer::{SpanFields, TelemetryLayer};

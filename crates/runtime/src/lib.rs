#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod config;
mod environment;
mod part;
mod place;
mod telemetry;
mod versions;

pub use config::{DEFAULT_FILE, TelemetryConfig};
pub use telemetry::{Telemetry, TelemetryBuilder};

// Rules, alerts, notifiers.
#[cfg(feature = "alerting")]
pub use telemetry_alerting as alerting;
pub use telemetry_collector as collector;
pub use telemetry_detection as detection;
pub use telemetry_integration as integration;
pub use telemetry_interfaces as interfaces;
pub use telemetry_lifecycle as lifecycle;
pub use telemetry_models as models;
// Reports as terminal text, JSON and HTML.
#[cfg(feature = "reporting")]
pub use telemetry_reporting as reporting;
pub use telemetry_storage as storage;

// The workspace's README is tested here, where everything its example needs is at hand.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}

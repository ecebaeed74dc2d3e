#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod arbitrary;
mod clock;
pub mod conformance;
pub mod crash;
pub mod disk;
mod generator;
pub mod simulation;

pub use arbitrary::{
    arbitrary_confidence, arbitrary_event, arbitrary_event_id, arbitrary_page,
    arbitrary_selector_name, arbitrary_strategy_kind, arbitrary_timestamp,
};
pub use clock::ManualClock;
pub use generator::{EventGenerator, GeneratorConfig};

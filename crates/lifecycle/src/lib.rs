#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod phase;
mod supervisor;

pub use phase::Phase;
pub use supervisor::{ShutdownReport, Supervisor};

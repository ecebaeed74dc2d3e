#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod confidence;
mod css;
mod document;
mod engine;
mod error;
mod listener;
mod locate;
mod normalise;
mod parse;
mod query;
mod selector;
mod similarity;
mod xpath;

pub use confidence::{Components, Weights};
pub use document::Document;
pub use engine::{Cascade, CascadeConfig, Resolution, Verdict};
pub use error::Error;
pub use listener::{Listener, Try, TryOutcome};
pub use query::{Found, Matches, Query};
pub use selector::{Expected, Selector, Strategy, StrategyKind, Validator};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alert;
mod attempt;
mod confidence;
mod context;
mod event;
mod handling;
mod id;
mod invalid;
pub mod json;
mod outcome;
pub mod report;
pub mod rollup;
#[cfg(feature = "schema")]
pub mod schema;
mod selector;
mod signal;
mod strategy;
mod timestamp;
mod validate;

pub use alert::{
    Alert, AlertId, AlertReason, AlertSource, AlertState, AlertTransition, ChangeCause, Evidence,
    LastGood, Severity, SeverityFactor,
};
pub use attempt::{Attempt, AttemptOutcome, ShadowProbe};
pub use confidence::Confidence;
pub use context::{PageContext, Viewport, site_of_url};
pub use event::{ErrorInfo, Event, OperationKind, Quality, Resources, Timing};
pub use handling::{
    AlertAction, AlertRequest, Handled, HandledWhat, Handling, Mark, Resolution, ResolutionMethod,
    Suppression,
};
pub use id::{CorrelationId, EventId, EventIds, ProducerId, RunId, SessionId};
pub use invalid::Invalid;
pub use outcome::{Outcome, OutcomeClass};
pub use selector::{SelectorDefinition, SelectorName, StrategyDefinition};
pub use signal::{Aggregate, Comparison, Signal};
pub use strategy::StrategyKind;
pub use timestamp::Timestamp;

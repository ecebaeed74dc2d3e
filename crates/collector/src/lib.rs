#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod appender;
mod backlog;
mod chunk;
mod cold;
mod collector;
mod config;
mod consumers;
mod correlation;
mod diagnostics;
mod facts;
mod ledger;
mod pipeline;
mod privacy;
mod process;
mod reader;
mod recent;
mod record;
mod redaction;
mod registry;
mod rescued;
mod resolve;
mod sampling;
mod shard;
mod shared;
mod span;
mod spool;
mod tally;
mod time;
mod writer;

pub use collector::{Collector, CollectorBuilder};
pub use config::{BackPressure, CollectorConfig};
pub use correlation::{Entered, Scope};
pub use privacy::{
    EnvironmentKey, FileKey, KeySource, Privacy, PrivacyConfig, Pseudonymous, Pseudonyms,
};
pub use redaction::{Redaction, redact_url, url_template};
pub use span::OperationSpan;
pub use tally::{Tally, TallyStart};

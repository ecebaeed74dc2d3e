#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod book;
mod channel;
mod channels;
mod config;
mod dispatch;
mod duration_text;
mod engine;
mod engine_time;
mod explain;
mod grade;
mod log;
mod machine;
mod memory;
mod monitor;
mod outbox;
mod past;
mod profile;
mod requests;
mod rule;
mod slot;
mod template;
mod trail;
#[cfg(feature = "webhook")]
mod webhook;
#[cfg(not(feature = "webhook"))]
#[path = "webhook_missing.rs"]
mod webhook;
mod words;

pub use book::{AlertBook, AlertFilter};
pub use channel::{Channel, RetryPolicy};
pub use channels::channels;
pub use config::{AlertingConfig, Profile, WebhookConfig};
pub use engine::ThresholdEngine;
pub use log::LogNotifier;
pub use memory::{RuleMemory, SeriesMemory};
pub use monitor::{AlertMonitor, AlertMonitorBuilder};
pub use outbox::{ChannelRecord, Intent};
pub use rule::{Against, Baseline, NoData, Rule, SeverityStep};
#[cfg(feature = "webhook")]
pub use webhook::WebhookNotifier;

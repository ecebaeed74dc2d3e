#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod book;
mod bucket;
mod channel;
mod channel_desk;
mod channels;
mod config;
mod couriers;
mod delivery_config;
mod detection;
mod dispatch;
mod duration_text;
mod engine;
mod engine_time;
mod explain;
mod feed;
mod flap;
mod grade;
mod group;
mod held;
mod incident;
mod log;
mod machine;
mod matcher;
mod member;
mod memory;
mod message;
mod meter;
mod monitor;
mod occurrence;
mod operation_text;
mod outbox;
mod packed;
mod past;
mod plan;
mod post;
mod profile;
mod prometheus;
mod reading;
mod requests;
mod retention;
mod roster;
mod rule;
mod rule_check;
mod rule_test;
mod series;
mod shelf;
mod silence;
mod slot;
mod suppress;
mod system;
mod template;
mod time_window;
mod trail;
#[cfg(feature = "webhook")]
mod webhook;
#[cfg(not(feature = "webhook"))]
#[path = "webhook_missing.rs"]
mod webhook;
mod words;

pub use book::{AlertBook, AlertFilter};
pub use channel::{Channel, RetryPolicy, Style};
#[cfg(feature = "smtp")]
pub use channels::EmailNotifier;
pub use channels::{
    ChannelsConfig, CommandConfig, CommandNotifier, ConsoleNotifier, EmailConfig, EmailTls,
    ServiceConfig, channels,
};
#[cfg(feature = "webhook")]
pub use channels::{ServiceKind, ServiceNotifier};
pub use config::{AlertingConfig, Profile, WebhookConfig};
pub use couriers::couriers;
pub use delivery_config::{DeliveryConfig, GroupBy, Inhibition, Mute, Route};
pub use detection::{DetectionConfig, DetectionEngine, DetectionMemory};
pub use engine::ThresholdEngine;
pub use log::LogNotifier;
pub use matcher::AlertMatcher;
pub use memory::{RuleMemory, SeriesMemory};
pub use monitor::{AlertMonitor, AlertMonitorBuilder};
pub use outbox::{ChannelRecord, Intent};
pub use prometheus::{PrometheusRules, prometheus_rules};
pub use rule::{Against, Baseline, NoData, Rule, SeverityStep};
pub use rule_test::{RuleExpectation, RuleInput, RuleTest, RuleTestResult, RuleTests};
pub use silence::{Silence, SilenceBook};
pub use system::{SystemConfig, SystemEngine};
pub use time_window::{Day, TimeWindow};
#[cfg(feature = "webhook")]
pub use webhook::WebhookNotifier;

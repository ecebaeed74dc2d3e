#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alerts;
mod builder;
mod change;
mod collect;
mod config;
mod findings;
mod html;
mod json;
mod quality;
mod rows;
mod terminal;
mod text;
mod verdict;

pub use builder::{ReportBuilder, ReportRequest};
pub use config::ReportingConfig;
pub use html::HtmlRenderer;
pub use json::JsonRenderer;
pub use terminal::TerminalRenderer;

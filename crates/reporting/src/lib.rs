#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod alerts;
mod builder;
mod change;
mod collect;
mod compare;
mod config;
mod contexts;
mod csv;
mod findings;
mod format;
mod from_rollups;
mod gate;
mod html;
mod json;
mod junit;
mod markdown;
mod pages;
mod quality;
mod recommend;
mod rows;
pub mod schedule;
mod sections;
mod sheet;
mod streams;
mod tally;
mod terminal;
mod text;
mod threads;
mod verdict;

pub use builder::{Baseline, ReportBuilder, ReportRequest};
pub use config::ReportingConfig;
pub use csv::CsvRenderer;
pub use format::ReportFormat;
pub use from_rollups::Source;
pub use gate::{Condition, judge};
pub use html::HtmlRenderer;
pub use json::JsonRenderer;
pub use junit::JunitRenderer;
pub use markdown::MarkdownRenderer;
pub use terminal::TerminalRenderer;

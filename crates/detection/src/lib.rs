#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod calibration;
mod company;
mod frequency;
mod level;
mod load;
mod methods;
mod mix;
mod operation;
mod rate;
mod scope;
mod selector;
mod series;
mod spending;
mod sums;
mod trust;

pub use calibration::{CalibrationBin, CalibrationReport, ConfidenceCounts};
pub use company::{Between, Company};
pub use frequency::FrequencyDetector;
pub use level::{Direction, LevelConfig, LevelDetector};
pub use methods::{InvalidParameter, Judgement, Method, MethodDetector, MethodName};
pub use mix::MixDetector;
pub use operation::Operation;
pub use rate::{RateConfig, RateDetector};
pub use scope::{Peers, Scope, scope};
pub use selector::{Budget, Finding, SelectorDetectors, Watched};
pub use series::{SeriesConfig, SeriesDetector, SeriesScore};
pub use spending::Spending;
pub use sums::{Change, Step};
pub use trust::TrustDetector;

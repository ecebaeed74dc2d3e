#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod calibration;
mod methods;
mod rate;
mod series;
mod spending;
mod sums;

pub use calibration::{CalibrationBin, CalibrationReport, ConfidenceCounts};
pub use methods::{InvalidParameter, Judgement, Method, MethodDetector, MethodName};
pub use rate::{RateConfig, RateDetector};
pub use series::{SeriesConfig, SeriesDetector, SeriesScore};
pub use spending::Spending;
pub use sums::{Change, Step};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod rate;
mod spending;
mod sums;

pub use rate::{RateConfig, RateDetector};
pub use spending::Spending;
pub use sums::{Change, Step};

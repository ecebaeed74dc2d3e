use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How sure an engine is that it found the right element: 0 (not at all) to 1 (certain).
///
/// Held in millionths, so that equality is exact and a value survives every encoding; finer
/// differences than 1e-6 are rounded away. "No confidence known" is `Option::None`, never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(u32);

impl Confidence {
    /// Certain.
    pub const ONE: Self = Self(1_000_000);
    /// Not at all.
    pub const ZERO: Self = Self(0);

    /// Takes a share of 1.
    ///
    /// # Errors
    /// When `value` is not a number or outside 0–1.
    pub fn new(value: f64) -> Result<Self, Invalid> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self((value * 1e6).round() as u32))
        } else {
            Err(Invalid::new("confidence", value, "a number from 0 to 1"))
        }
    }

    /// Takes any number and brings it into the range: below 0 becomes 0, above 1 becomes 1.
    /// `None` for NaN.
    pub fn saturating(value: f64) -> Option<Self> {
        (!value.is_nan()).then(|| Self((value.clamp(0.0, 1.0) * 1e6).round() as u32))
    }

    /// Takes millionths; `None` above 1,000,000.
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        if millionths <= 1_000_000 { Some(Self(millionths)) } else { None }
    }

    /// Millionths, 0 to 1,000,000.
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// A share of 1.
    pub fn get(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl TryFrom<f64> for Confidence {
    type Error = Invalid;
    fn try_from(value: f64) -> Result<Self, Invalid> {
        Self::new(value)
    }
}

impl From<Confidence> for f64 {
    fn from(value: Confidence) -> f64 {
        value.get()
    }
}

impl fmt::Debug for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.get(), f)
    }
}

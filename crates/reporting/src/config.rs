use crate::schedule::{self, ScheduleConfig};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};

/// What makes a finding, and how long the lists of a report become.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportingConfig {
    /// Most findings listed, 1 to 100.
    pub max_findings: usize,
    /// Most selector rows listed, 1 to 100,000.
    pub max_selectors: usize,
    /// Most sites listed, 1 to 10,000.
    pub max_sites: usize,
    /// Most selectors (per site) that are followed one by one, 1 to 1,000,000; events of others
    /// count in the totals only. Each takes 10 to 200 KiB while a report is made; two threads follow
    /// as many each until they have read all.
    pub max_tracked: usize,
    /// Fewest operations on each side of a comparison, and behind any judgement; 2 to 1,000,000.
    pub min_samples: u64,
    /// Fewest faults in a row after a success that mean "stopped working"; 2 to 1,000.
    pub stopped_faults: u64,
    /// Smallest loss of success rate that counts, above 0 and up to 1.
    pub success_drop: f64,
    /// A success rate surely below this is a finding, 0 to 1.
    pub reliable_share: f64,
    /// Smallest rise of the share of fallbacks that counts, above 0 and up to 1.
    pub fallback_rise: f64,
    /// Smallest loss of mean confidence that counts, above 0 and up to 1.
    pub confidence_drop: f64,
    /// Smallest ratio of median durations that counts, above 1 and up to 1,000.
    pub slow_ratio: f64,
    /// Smallest rise of the median duration that counts, in milliseconds, 0 to 300,000.
    pub slow_min_ms: f64,
    /// A share of operations spoilt by a site surely above this is a finding, above 0 and up to 1.
    pub site_trouble_share: f64,
    /// Smallest relative change of a duration between two periods that counts, above 0 and up to
    /// 10.
    pub compare_ratio: f64,
    /// Smallest difference of a share between two periods that counts, above 0 and up to 1.
    pub compare_share: f64,
    /// Success rate that is asked for: what it leaves is the error budget. 0 and up to 0.999999.
    pub objective: f64,
    /// Time within which operations should succeed, in milliseconds, above 0 and up to 3,600,000.
    pub service_level_ms: f64,
    /// Share of successful operations that should be within that time, 0 to 1.
    pub service_level_share: f64,
    /// Largest loss of success rate that a recommended change may bring, at the upper end of its
    /// one-sided 90 % interval, above 0 and up to 0.1.
    pub harm_margin: f64,
    /// Most recommendations listed, 1 to 1,000.
    pub max_recommendations: usize,
    /// Reports that are made by themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScheduleConfig>,
}

impl Default for ReportingConfig {
    fn default() -> Self {
        Self {
            max_findings: 7,
            max_selectors: 500,
            max_sites: 100,
            max_tracked: 5_000,
            min_samples: 5,
            stopped_faults: 3,
            success_drop: 0.1,
            reliable_share: 0.9,
            fallback_rise: 0.3,
            confidence_drop: 0.1,
            slow_ratio: 1.5,
            slow_min_ms: 0.5,
            site_trouble_share: 0.2,
            compare_ratio: 0.05,
            compare_share: 0.02,
            objective: 0.99,
            service_level_ms: 1_000.0,
            service_level_share: 0.95,
            harm_margin: 0.015,
            max_recommendations: 20,
            schedules: Vec::new(),
        }
    }
}

impl ReportingConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Kind `Invalid`, code TEL-004; names the field, its value and the allowed range.
    pub fn validate(&self) -> Result<()> {
        within("max_findings", self.max_findings, 1, 100)?;
        within("max_selectors", self.max_selectors, 1, 100_000)?;
        within("max_sites", self.max_sites, 1, 10_000)?;
        within("max_tracked", self.max_tracked, 1, 1_000_000)?;
        within("min_samples", self.min_samples, 2, 1_000_000)?;
        within("stopped_faults", self.stopped_faults, 2, 1_000)?;
        within("success_drop", self.success_drop, f64::MIN_POSITIVE, 1.0)?;
        within("reliable_share", self.reliable_share, 0.0, 1.0)?;
        within("fallback_rise", self.fallback_rise, f64::MIN_POSITIVE, 1.0)?;
        within("confidence_drop", self.confidence_drop, f64::MIN_POSITIVE, 1.0)?;
        within("slow_ratio", self.slow_ratio, 1.0 + f64::EPSILON, 1_000.0)?;
        within("slow_min_ms", self.slow_min_ms, 0.0, 300_000.0)?;
        within("site_trouble_share", self.site_trouble_share, f64::MIN_POSITIVE, 1.0)?;
        within("compare_ratio", self.compare_ratio, f64::MIN_POSITIVE, 10.0)?;
        within("compare_share", self.compare_share, f64::MIN_POSITIVE, 1.0)?;
        within("objective", self.objective, 0.0, 0.999_999)?;
        within("service_level_ms", self.service_level_ms, f64::MIN_POSITIVE, 3_600_000.0)?;
        within("service_level_share", self.service_level_share, 0.0, 1.0)?;
        within("harm_margin", self.harm_margin, f64::MIN_POSITIVE, 0.1)?;
        within("max_recommendations", self.max_recommendations, 1, 1_000)?;
        schedule::validate(&self.schedules)
    }
}

fn within<T: PartialOrd + Display>(field: &'static str, value: T, low: T, high: T) -> Result<()> {
    if value >= low && value <= high {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!("reporting.{field} is {value}, allowed is {}", range(&low, &high)),
    )
    .cure(format!("set reporting.{field} to a value in that range, or leave it out")))
}

fn range<T: Display>(low: &T, high: &T) -> String {
    let (low, high) = (low.to_string(), high.to_string());
    // The smallest number above 0 or 1 is long; what it means is short.
    match low.as_str() {
        text if text.len() > 12 && text.starts_with("0.0") => format!("above 0 to {high}"),
        text if text.len() > 12 => format!("above 1 to {high}"),
        text => format!("{text} to {high}"),
    }
}

//! What is wrong with a rule.

use crate::rule::{MAX_SAMPLES, z_of};
use crate::{Against, NoData, Rule, duration_text, template};
use std::ops::RangeInclusive;
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_models::{Aggregate, Comparison, Signal};

impl Rule {
    /// Checks what the types do not guarantee.
    ///
    /// # Errors
    /// TEL-004 with the rule's id, the field, what was found and what is allowed.
    pub fn validate(&self) -> Result<()> {
        if self.id.trim().is_empty() || self.id.chars().count() > 100 {
            return Err(self.invalid("id", format!("{:?}", self.id), "1 to 100 characters"));
        }
        self.validate_window()?;
        self.validate_aggregate()?;
        self.validate_levels()?;
        self.validate_baseline()?;
        self.validate_silence()?;
        for (key, text) in &self.annotations {
            template::validate(text).map_err(|(found, expected)| {
                self.invalid(&format!("annotations.{key}"), found, &expected)
            })?;
        }
        if let Some(summary) = &self.summary {
            template::validate(summary)
                .map_err(|(found, expected)| self.invalid("summary", found, &expected))?;
        }
        for (field, keys) in [("labels", &self.labels), ("attributes", &self.attributes)] {
            if keys.keys().any(|key| key.trim().is_empty()) {
                return Err(self.invalid(field, "an empty key", "non-empty keys"));
            }
        }
        if self.unless_firing.contains(&self.id) {
            return Err(self.invalid("unless_firing", "the rule itself", "ids of other rules"));
        }
        Ok(())
    }

    fn validate_window(&self) -> Result<()> {
        if self.last.is_none() && self.within.is_none() {
            return Err(self.invalid(
                "last",
                "no window",
                "last (a number of operations) or within (a duration), or both",
            ));
        }
        if let Some(last) = self.last {
            self.in_range("last", last, 1..=MAX_SAMPLES)?;
        }
        if let Some(within) = self.within
            && !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&within)
        {
            return Err(self.invalid("within", duration_text::show(within), "1s to 24h"));
        }
        if let Some(min) = self.min_samples {
            self.in_range("min_samples", min, 1..=self.last.unwrap_or(MAX_SAMPLES))?;
        }
        Ok(())
    }

    fn validate_aggregate(&self) -> Result<()> {
        let aggregate = self.aggregate();
        if self.signal == Signal::Frequency {
            if aggregate != Aggregate::Rate {
                return Err(self.invalid("aggregate", aggregate, "rate, for the frequency"));
            }
            if self.within.is_none() {
                return Err(self.invalid(
                    "within",
                    "nothing",
                    "a duration, because a frequency needs to know over what time",
                ));
            }
        } else if aggregate == Aggregate::Rate && !self.signal.is_share() {
            return Err(self.invalid(
                "aggregate",
                format!("rate of {}", self.signal),
                "mean, min, max, count or a quantile; a rate needs a share such as error_rate",
            ));
        }
        Ok(())
    }

    fn validate_levels(&self) -> Result<()> {
        self.level("fire_at", self.fire_at)?;
        if let Some(clear_at) = self.clear_at {
            self.level("clear_at", clear_at)?;
            let (right, expected) = match self.comparison {
                Comparison::Above | Comparison::AtLeast => {
                    (clear_at <= self.fire_at, format!("at most fire_at ({})", self.fire_at))
                }
                Comparison::Below | Comparison::AtMost => {
                    (clear_at >= self.fire_at, format!("at least fire_at ({})", self.fire_at))
                }
                Comparison::Equal | Comparison::NotEqual => {
                    (false, format!("nothing, with comparison {}", self.comparison))
                }
            };
            if !right {
                return Err(self.invalid("clear_at", clear_at, &expected));
            }
        }
        for (at, step) in self.steps.iter().enumerate() {
            self.level(&format!("steps[{at}].at"), step.at)?;
            if step.severity < self.severity {
                return Err(self.invalid(
                    &format!("steps[{at}].severity"),
                    step.severity,
                    &format!("{} or higher, the rule's own severity", self.severity),
                ));
            }
        }
        Ok(())
    }

    /// What concerns missing and scarce data.
    fn validate_silence(&self) -> Result<()> {
        if let Some(confidence) = self.confidence {
            if !self.signal.is_share() || self.aggregate() != Aggregate::Rate {
                let found = format!("a confidence with {} of {}", self.aggregate(), self.signal);
                return Err(self.invalid("confidence", found, "the rate of a share"));
            }
            if z_of(confidence).is_none() {
                return Err(self.invalid("confidence", confidence, "0.9, 0.95, 0.99 or 0.999"));
            }
        }
        if let NoData::AlertAfter(after) = self.no_data {
            let allowed = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
            if !allowed.contains(&after) {
                let found = duration_text::show(after);
                return Err(self.invalid("no_data.alert_after", found, "1s to 168h"));
            }
            if self.signal == Signal::Frequency {
                return Err(self.invalid(
                    "no_data",
                    "alert_after with the frequency",
                    "nothing: a frequency counts silence as 0",
                ));
            }
        }
        if let Some(after) = self.escalate_after.filter(|it| it.is_zero()) {
            return Err(self.invalid("escalate_after", duration_text::show(after), "more than 0s"));
        }
        if self.signal == Signal::Health {
            return Err(self.invalid("signal", self.signal, "a signal that events have"));
        }
        Ok(())
    }

    fn level(&self, field: &str, level: f64) -> Result<()> {
        let bounded = self.signal.is_share() || self.signal == Signal::Confidence;
        let (low, high) = match self.against {
            Against::Fixed if bounded && self.aggregate() != Aggregate::Count => (0.0, 1.0),
            Against::Fixed => (0.0, f64::MAX),
            Against::BaselineRatio => (f64::MIN_POSITIVE, f64::MAX),
            Against::BaselineDelta if bounded && self.aggregate() != Aggregate::Count => {
                (-1.0, 1.0)
            }
            Against::BaselineDelta => (f64::MIN, f64::MAX),
        };
        if (low..=high).contains(&level) {
            return Ok(());
        }
        let expected = match self.against {
            Against::BaselineRatio => "a factor above 0".to_owned(),
            _ if high == 1.0 => format!("{low} to 1, for {}", self.signal),
            Against::Fixed => "a number from 0".to_owned(),
            Against::BaselineDelta => "a number".to_owned(),
        };
        Err(self.invalid(field, level, &expected))
    }

    fn validate_baseline(&self) -> Result<()> {
        let Some(baseline) = &self.baseline else { return Ok(()) };
        if self.against == Against::Fixed {
            return Err(self.invalid(
                "baseline",
                "a baseline with against = \"fixed\"",
                "against = \"baseline_ratio\" or \"baseline_delta\", or no baseline",
            ));
        }
        self.in_range("baseline.samples", baseline.samples, 5..=MAX_SAMPLES)?;
        self.in_range("baseline.min_samples", baseline.min_samples, 1..=baseline.samples)?;
        if !(0.0..=f64::MAX).contains(&baseline.min_change) {
            return Err(self.invalid("baseline.min_change", baseline.min_change, "0 or more"));
        }
        Ok(())
    }

    fn in_range(&self, field: &str, found: u32, allowed: RangeInclusive<u32>) -> Result<()> {
        if allowed.contains(&found) {
            return Ok(());
        }
        Err(self.invalid(field, found, &format!("{} to {}", allowed.start(), allowed.end())))
    }

    pub(crate) fn invalid(
        &self,
        field: &str,
        found: impl std::fmt::Display,
        expected: &str,
    ) -> Error {
        Error::new(
            ErrorKind::Invalid,
            Code::Configuration,
            format!("an alert rule is wrong: found {found}, expected {expected}"),
        )
        .with("rule", &self.id)
        .with("field", format!("alerting.rules.{field}"))
    }
}

use crate::time_window::TimeWindow;
use crate::{AlertMatcher, duration_text};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};

/// How alerts become messages: the `[alerting.delivery]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryConfig {
    /// Only say in the log what would be sent.
    pub dry_run: bool,
    /// Alerts that agree in all of these are announced together.
    pub group_by: Vec<GroupBy>,
    /// So long after its first alert a group is announced, 0 to 1 h.
    #[serde(with = "duration_text")]
    pub group_wait: Duration,
    /// Further news of a busy group come at most so often, 0 to 24 h. A handful of alerts within a
    /// few minutes is told as it comes; the more a group was told lately, the longer its news wait,
    /// and the longer again as long as it stays busy. A critical newcomer in a group that was not
    /// critical waits for `group_wait` only.
    #[serde(with = "duration_text")]
    pub group_interval: Duration,
    /// A group with open alerts is announced again after so long; 0 s for never.
    #[serde(with = "duration_text")]
    pub repeat_interval: Duration,
    /// Most messages a channel for people is told in one `limit_per`; what goes beyond becomes one
    /// digest. 0 for no limit. A fifth is kept for critical alerts.
    pub limit_messages: u32,
    /// See `limit_messages`, 1 s to 24 h.
    #[serde(with = "duration_text")]
    pub limit_per: Duration,
    /// An alert that fired so often within `flap_within` is flapping: that is announced once, and
    /// nothing more until it was calm for as long. 0 for never.
    pub flap_firings: u32,
    /// See `flap_firings`.
    #[serde(with = "duration_text")]
    pub flap_within: Duration,
    /// So many selectors of one site that fail within `incident_within` of each other are one
    /// incident. 0 for never.
    pub incident_selectors: u32,
    /// See `incident_selectors`.
    #[serde(with = "duration_text")]
    pub incident_within: Duration,
    /// Time windows, for routes and mutes to refer to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimeWindow>,
    /// Who is told of what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// When nobody is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mutes: Vec<Mute>,
    /// Which alerts go without saying while others are open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inhibit: Vec<Inhibition>,
}

/// What alerts of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// The site.
    Site,
    /// What is watched.
    Signal,
    /// The rule.
    Rule,
    /// The selector.
    Selector,
    /// The alert itself: no grouping.
    Alert,
}

/// Alerts for some channels. A channel that no route names is told everything; one that is named is
/// told what one of its routes covers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// Names of channels.
    pub channels: Vec<String>,
    /// Which alerts; every one by default.
    #[serde(rename = "match")]
    pub matcher: AlertMatcher,
    /// Only within one of these time windows; always when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub during: Vec<String>,
}

/// Alerts that nobody is told of within time windows; those still open afterwards are announced
/// then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mute {
    /// Names of time windows.
    pub during: Vec<String>,
    /// Which alerts; every one by default.
    #[serde(rename = "match")]
    pub matcher: AlertMatcher,
}

/// While a `source` alert is open, `target` alerts that agree with it in `equal` are not announced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inhibition {
    /// The alert that says enough.
    pub source: AlertMatcher,
    /// The alerts that go without saying.
    pub target: AlertMatcher,
    /// What both must have in common.
    pub equal: Vec<GroupBy>,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            dry_run: false,
            group_by: vec![GroupBy::Site, GroupBy::Signal],
            group_wait: Duration::from_secs(1),
            group_interval: Duration::from_secs(300),
            repeat_interval: Duration::from_secs(4 * 3600),
            limit_messages: 30,
            limit_per: Duration::from_secs(60),
            flap_firings: 4,
            flap_within: Duration::from_secs(900),
            incident_selectors: 3,
            incident_within: Duration::from_secs(60),
            times: Vec::new(),
            routes: Vec::new(),
            mutes: Vec::new(),
            inhibit: Vec::new(),
        }
    }
}

impl DeliveryConfig {
    /// Every change at once and by itself: no groups, limits, incidents or damping.
    pub fn immediate() -> Self {
        Self {
            group_by: vec![GroupBy::Alert],
            group_wait: Duration::ZERO,
            group_interval: Duration::ZERO,
            repeat_interval: Duration::ZERO,
            limit_messages: 0,
            flap_firings: 0,
            incident_selectors: 0,
            ..Self::default()
        }
    }

    /// Checks what the types do not guarantee; `channels` are the names there are.
    ///
    /// # Errors
    /// TEL-004 with field, value and what is allowed.
    pub fn validate(&self, channels: &[&str]) -> Result<()> {
        let day = Duration::from_secs(86_400);
        for (field, value, low, high) in [
            ("group_wait", self.group_wait, Duration::ZERO, Duration::from_secs(3600)),
            ("group_interval", self.group_interval, Duration::ZERO, day),
            ("limit_per", self.limit_per, Duration::from_secs(1), day),
            ("flap_within", self.flap_within, Duration::from_secs(1), day),
            ("incident_within", self.incident_within, Duration::from_secs(1), day),
        ] {
            if !(low..=high).contains(&value) {
                let expected =
                    format!("{} to {}", duration_text::show(low), duration_text::show(high));
                return Err(invalid(field, duration_text::show(value), &expected));
            }
        }
        if self.group_by.is_empty() {
            return Err(invalid("group_by", "[]", "site, signal, rule, selector or alert"));
        }
        if matches!(self.flap_firings, 1) {
            return Err(invalid("flap_firings", 1, "0, or 2 and more"));
        }
        if matches!(self.incident_selectors, 1) {
            return Err(invalid("incident_selectors", 1, "0, or 2 and more"));
        }
        for window in &self.times {
            window.opening()?;
        }
        let known = |field: &str, names: &[String]| match names
            .iter()
            .find(|name| !self.times.iter().any(|it| it.name == **name))
        {
            Some(name) => {
                let expected = "the name of a window in alerting.delivery.times";
                Err(invalid(field, format!("{name:?}"), expected))
            }
            None => Ok(()),
        };
        for route in &self.routes {
            known("routes.during", &route.during)?;
            let missing = |name: &&String| !channels.contains(&name.as_str());
            if let Some(name) = route.channels.iter().find(missing) {
                let expected = format!("the name of a channel: {}", channels.join(", "));
                return Err(invalid("routes.channels", format!("{name:?}"), &expected));
            }
        }
        for mute in &self.mutes {
            known("mutes.during", &mute.during)?;
            if mute.during.is_empty() {
                return Err(invalid("mutes.during", "[]", "the name of a time window"));
            }
        }
        if self.inhibit.iter().any(|it| it.source.is_empty() || it.target.is_empty()) {
            return Err(invalid("inhibit", "no condition", "conditions in source and target"));
        }
        Ok(())
    }
}

fn invalid(field: &str, found: impl std::fmt::Display, expected: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!("the delivery of alerts is wrong: found {found}, expected {expected}"),
    )
    .with("field", format!("alerting.delivery.{field}"))
}

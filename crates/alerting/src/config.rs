use crate::{
    ChannelsConfig, DeliveryConfig, DetectionConfig, Rule, SystemConfig, duration_text, profile,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_models::Severity;

/// What is watched and who is told: the `[alerting]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertingConfig {
    /// Whether rules are evaluated at all.
    pub enabled: bool,
    /// Which rules come without being written.
    pub profile: Profile,
    /// Rules of your own; one with the id of a profile's rule replaces it.
    pub rules: Vec<Rule>,
    /// Whether alerts are written to the log (`tracing` target `telemetry::alert`).
    pub log: bool,
    /// Where alerts are posted.
    pub webhooks: Vec<WebhookConfig>,
    /// Services and programs that are told.
    pub channels: ChannelsConfig,
    /// How alerts become messages.
    pub delivery: DeliveryConfig,
    /// What the telemetry system says about itself.
    pub system: SystemConfig,
    /// After an alert resolved, the same rule stays silent about the same selector for so long, at
    /// most 24 h; if the trouble is back by then, it fires then. By default 30 s, 5 min with the
    /// original profile.
    #[serde(with = "duration_text::optional", skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Duration>,
    /// Alerts are kept so long after they were closed, 1 h to 87,600 h (ten years); so are silences
    /// that ended and notifications that were given up.
    #[serde(with = "duration_text")]
    pub keep_closed: Duration,
    /// Selectors × sites that are watched at once, 1 to 1,000,000; operations of any further ones
    /// are counted, not watched.
    pub max_series: usize,
    /// Detectors that need no thresholds.
    pub detection: DetectionConfig,
}

/// 30 days.
pub(crate) const KEEP_CLOSED: Duration = Duration::from_secs(720 * 3600);

impl Default for AlertingConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            profile: Profile::Default,
            rules: Vec::new(),
            log: true,
            webhooks: Vec::new(),
            channels: ChannelsConfig::default(),
            delivery: DeliveryConfig::default(),
            system: SystemConfig::default(),
            cooldown: None,
            keep_closed: KEEP_CLOSED,
            max_series: 50_000,
            detection: DetectionConfig::default(),
        }
    }
}

/// Which rules come without being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Every selector against its own past, see [`Profile::rules`].
    #[default]
    Default,
    /// The fixed thresholds of the original system: resolution above 5 s (critical above 10 s),
    /// confidence below 0.5 (critical below 0.2), error rate above 10 %, more than 3 strategy
    /// switches; 10 minutes, at least 3 operations.
    Original,
    /// None.
    None,
}

/// A place that is told by HTTP POST.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The channel's name, unique.
    pub name: String,
    /// `http://` or `https://`.
    pub url: String,
    /// How long one try may take, 100 ms to 60 s.
    #[serde(default = "ten_seconds", with = "duration_text")]
    pub timeout: Duration,
    /// Headers sent along, for instance `Authorization`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Only alerts of this severity or a higher one.
    #[serde(default = "low")]
    pub min_severity: Severity,
    /// Signs each body, so that the receiver can tell it is ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn low() -> Severity {
    Severity::Low
}

impl WebhookConfig {
    /// A channel with the default timeout, for alerts of every severity.
    pub fn new(name: &str, url: &str) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            timeout: ten_seconds(),
            headers: BTreeMap::new(),
            min_severity: low(),
            secret: None,
        }
    }
}

impl AlertingConfig {
    /// The rules in force: the profile's, where none of one's own has the same id, then one's own.
    pub fn effective_rules(&self) -> Vec<Rule> {
        if !self.enabled {
            return Vec::new();
        }
        let own: BTreeSet<_> = self.rules.iter().map(|rule| &rule.id).collect();
        let mut rules = self.profile.rules();
        rules.retain(|rule| !own.contains(&rule.id));
        rules.extend(self.rules.iter().cloned());
        rules
    }

    /// How long a rule stays silent about a selector after its alert resolved.
    pub fn effective_cooldown(&self) -> Duration {
        self.cooldown.unwrap_or_else(|| self.profile.cooldown())
    }

    /// The names of all channels.
    pub fn channel_names(&self) -> Vec<&str> {
        let log = self.log.then_some("log");
        let webhooks = self.webhooks.iter().map(|it| it.name.as_str());
        log.into_iter().chain(webhooks).chain(self.channels.names()).collect()
    }

    /// Checks what the types do not guarantee.
    ///
    /// # Errors
    /// TEL-004 with the rule's or channel's name, the field, what was found and what is allowed.
    pub fn validate(&self) -> Result<()> {
        self.detection.validate()?;
        for (at, rule) in self.rules.iter().enumerate() {
            rule.validate()?;
            if self.rules[..at].iter().any(|other| other.id == rule.id) {
                return Err(rule.invalid("id", "the same id twice", "a unique id"));
            }
        }
        let rules = self.effective_rules();
        for rule in &self.rules {
            let unknown = |id: &&_| !rules.iter().any(|other| other.id == **id);
            if let Some(id) = rule.unless_firing.iter().find(unknown).filter(|_| self.enabled) {
                let known: Vec<_> = rules.iter().map(|rule| &*rule.id).collect();
                return Err(rule.invalid(
                    "unless_firing",
                    format!("{id:?}"),
                    &format!("ids of rules in force: {}", known.join(", ")),
                ));
            }
        }
        for (at, webhook) in self.webhooks.iter().enumerate() {
            webhook.validate()?;
            let taken = self.webhooks[..at].iter().any(|other| other.name == webhook.name);
            if taken || webhook.name == "log" {
                return Err(webhook.invalid("name", "a name that is taken", "a unique name"));
            }
        }
        self.channels.validate()?;
        let names = self.channel_names();
        if let Some(at) = (1..names.len()).find(|at| names[..*at].contains(&names[*at])) {
            return Err(invalid("channels", format!("two named {:?}", names[at]), "unique names"));
        }
        self.delivery.validate(&names)?;
        self.system.validate()?;
        if let Some(cooldown) = self.cooldown.filter(|it| *it > Duration::from_secs(86_400)) {
            return Err(invalid("cooldown", duration_text::show(cooldown), "0s to 24h"));
        }
        let hour = Duration::from_secs(3600);
        if !(hour..=hour * 87_600).contains(&self.keep_closed) {
            let found = duration_text::show(self.keep_closed);
            return Err(invalid("keep_closed", found, "1h to 87600h"));
        }
        if !(1..=1_000_000).contains(&self.max_series) {
            return Err(invalid("max_series", self.max_series, "1 to 1000000"));
        }
        Ok(())
    }
}

impl WebhookConfig {
    fn validate(&self) -> Result<()> {
        if self.name.trim().is_empty() || self.name.contains('/') {
            return Err(self.invalid("name", format!("{:?}", self.name), "a word without /"));
        }
        let rest = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(self.invalid(
                "url",
                format!("{:?}", without_secrets(&self.url)),
                "http:// or https:// with a host, as in https://hooks.example/alerts",
            ));
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&self.timeout) {
            let found = duration_text::show(self.timeout);
            return Err(self.invalid("timeout", found, "100ms to 60s"));
        }
        Ok(())
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
            format!("a webhook is wrong: found {found}, expected {expected}"),
        )
        .with("webhook", &self.name)
        .with("field", format!("alerting.webhooks.{field}"))
    }
}

/// Scheme and host: what else a URL holds often is a secret.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next().unwrap_or_default();
    let more = if end < rest.len() { "/…" } else { "" };
    format!("{scheme}{host}{more}")
}

fn invalid(field: &str, found: impl std::fmt::Display, expected: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!("the alerting configuration is wrong: found {found}, expected {expected}"),
    )
    .with("field", format!("alerting.{field}"))
}

impl Profile {
    /// The rules of this profile.
    pub fn rules(self) -> Vec<Rule> {
        match self {
            Self::Default => profile::default_rules(),
            Self::Original => profile::original_rules(),
            Self::None => Vec::new(),
        }
    }

    const fn cooldown(self) -> Duration {
        match self {
            Self::Original => Duration::from_secs(300),
            Self::Default | Self::None => Duration::from_secs(30),
        }
    }
}

use crate::member::Member;
use crate::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use telemetry_interfaces::SelectorPattern;
use telemetry_models::{Severity, Signal};

/// Which alerts: every condition that is set must hold; without any it covers all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertMatcher {
    /// The selector's name, `*` for any text and `?` for one character.
    #[serde(skip_serializing_if = "Option::is_none", with = "words::optional_pattern")]
    pub selector: Option<SelectorPattern>,
    /// The site (host and port), with the same wildcards.
    #[serde(skip_serializing_if = "Option::is_none", with = "words::optional_pattern")]
    pub site: Option<SelectorPattern>,
    /// The rule's id, with the same wildcards.
    #[serde(skip_serializing_if = "Option::is_none", with = "words::optional_pattern")]
    pub rule: Option<SelectorPattern>,
    /// What is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// This severity or a higher one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_severity: Option<Severity>,
    /// This severity or a lower one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_severity: Option<Severity>,
    /// Labels with these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl AlertMatcher {
    /// Whether no condition is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn covers(&self, it: &Member) -> bool {
        let fits = |wanted: &Option<SelectorPattern>, found: &str| {
            wanted.as_ref().is_none_or(|pattern| pattern.matches(found))
        };
        fits(&self.selector, it.selector.as_str())
            && fits(&self.site, it.alike.site.as_deref().unwrap_or_default())
            && fits(&self.rule, &it.alike.rule)
            && self.signal.is_none_or(|signal| signal == it.alike.signal)
            && self.min_severity.is_none_or(|min| it.severity >= min)
            && self.max_severity.is_none_or(|max| it.severity <= max)
            && self.labels.iter().all(|(key, value)| it.alike.labels.get(key) == Some(value))
    }
}

impl std::fmt::Display for AlertMatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        let mut part = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                parts.push(format!("{name}={value}"));
            }
        };
        part("selector", self.selector.as_ref().map(ToString::to_string));
        part("site", self.site.as_ref().map(ToString::to_string));
        part("rule", self.rule.as_ref().map(ToString::to_string));
        part("signal", self.signal.map(|it| it.to_string()));
        part("min_severity", self.min_severity.map(|it| it.to_string()));
        part("max_severity", self.max_severity.map(|it| it.to_string()));
        for (key, value) in &self.labels {
            part(key, Some(value.clone()));
        }
        f.write_str(if parts.is_empty() { "every alert" } else { "" })?;
        f.write_str(&parts.join(" "))
    }
}

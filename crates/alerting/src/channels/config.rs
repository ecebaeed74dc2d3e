use crate::duration_text;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_models::Severity;

/// Services that are told: the `[alerting.channels]` table, a list for each kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelsConfig {
    /// Write alerts to the standard error.
    pub console: bool,
    /// Slack, Mattermost: incoming webhooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slack: Vec<ServiceConfig>,
    /// Microsoft Teams: Workflows webhooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<ServiceConfig>,
    /// Discord webhooks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub discord: Vec<ServiceConfig>,
    /// Telegram: `url` is `https://api.telegram.org`, `key` the bot's token, `to` the chat.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub telegram: Vec<ServiceConfig>,
    /// PagerDuty Events v2: `url` is `https://events.pagerduty.com/v2/enqueue`, `key` the routing key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pagerduty: Vec<ServiceConfig>,
    /// Alertmanager: `url` is its address, for instance `http://127.0.0.1:9093`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alertmanager: Vec<ServiceConfig>,
    /// Mail over SMTP; needs the feature `smtp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub email: Vec<EmailConfig>,
    /// Programs that are run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<CommandConfig>,
}

/// A service that is told over HTTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceConfig {
    /// The channel's name, unique.
    pub name: String,
    /// `http://` or `https://`. Of a webhook it is a secret.
    pub url: String,
    /// What the service knows the sender by, where it wants any: a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whom the service is to tell, where it must be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How long one try may take, 100 ms to 60 s.
    #[serde(default = "ten_seconds", with = "duration_text")]
    pub timeout: Duration,
    /// Only alerts of this severity or a higher one.
    #[serde(default = "low")]
    pub min_severity: Severity,
}

/// Mail over SMTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The channel's name, unique.
    pub name: String,
    /// The mail server's name.
    pub server: String,
    /// Its port.
    #[serde(default = "submission")]
    pub port: u16,
    /// How the connection is encrypted.
    #[serde(default)]
    pub tls: EmailTls,
    /// Who logs in, with `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The sender's address.
    pub from: String,
    /// The receivers' addresses.
    pub to: Vec<String>,
    /// How long one try may take, 100 ms to 60 s.
    #[serde(default = "ten_seconds", with = "duration_text")]
    pub timeout: Duration,
    /// Only alerts of this severity or a higher one.
    #[serde(default = "low")]
    pub min_severity: Severity,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailTls {
    /// By STARTTLS, which the server must offer.
    #[default]
    Starttls,
    /// From the beginning.
    Tls,
    /// Not at all: for a server on the same machine.
    None,
}

const fn submission() -> u16 {
    587
}

/// A program that is run for each notification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// The channel's name, unique.
    pub name: String,
    /// The program, by path or found in `PATH`.
    pub program: String,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// How long it may take, 100 ms to 60 s.
    #[serde(default = "ten_seconds", with = "duration_text")]
    pub timeout: Duration,
    /// Only alerts of this severity or a higher one.
    #[serde(default = "low")]
    pub min_severity: Severity,
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn low() -> Severity {
    Severity::Low
}

impl ServiceConfig {
    /// A service with the default timeout, for alerts of every severity.
    pub fn new(name: &str, url: &str) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            key: None,
            to: None,
            timeout: ten_seconds(),
            min_severity: low(),
        }
    }
}

impl ChannelsConfig {
    /// The lists of services, with the kind's name and whether it needs `key` and `to`.
    pub(crate) fn services(&self) -> [(&'static str, &[ServiceConfig], bool, bool); 6] {
        [
            ("slack", &self.slack, false, false),
            ("teams", &self.teams, false, false),
            ("discord", &self.discord, false, false),
            ("telegram", &self.telegram, true, true),
            ("pagerduty", &self.pagerduty, true, false),
            ("alertmanager", &self.alertmanager, false, false),
        ]
    }

    /// The channels' names.
    pub fn names(&self) -> Vec<&str> {
        let console = self.console.then_some("console").into_iter();
        let services = self.services().into_iter().flat_map(|(_, list, ..)| list);
        console
            .chain(services.map(|it| it.name.as_str()))
            .chain(self.email.iter().map(|it| it.name.as_str()))
            .chain(self.command.iter().map(|it| it.name.as_str()))
            .collect()
    }

    /// Checks what the types do not guarantee.
    ///
    /// # Errors
    /// TEL-004 with kind, channel, field, and what is allowed. Secrets are not shown.
    pub fn validate(&self) -> Result<()> {
        let limits = Duration::from_millis(100)..=Duration::from_secs(60);
        for (kind, list, key, to) in self.services() {
            for it in list {
                let wrong = |field: &str, found: &str, expected: &str| {
                    Err(invalid(kind, &it.name, field, found, expected))
                };
                if it.name.trim().is_empty() || it.name.contains('/') {
                    return wrong("name", &format!("{:?}", it.name), "a word without /");
                }
                let rest = it.url.strip_prefix("https://").or(it.url.strip_prefix("http://"));
                if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
                    return wrong("url", "something else", "http:// or https:// with a host");
                }
                if key && it.key.as_deref().unwrap_or_default().trim().is_empty() {
                    return wrong("key", "nothing", "the secret the service gave you");
                }
                if to && it.to.as_deref().unwrap_or_default().trim().is_empty() {
                    return wrong("to", "nothing", "the id of the chat");
                }
                if !limits.contains(&it.timeout) {
                    return wrong("timeout", &duration_text::show(it.timeout), "100ms to 60s");
                }
            }
        }
        for it in &self.email {
            let wrong = |field: &str, found: &str, expected: &str| {
                Err(invalid("email", &it.name, field, found, expected))
            };
            if it.name.trim().is_empty() || it.name.contains('/') {
                return wrong("name", &format!("{:?}", it.name), "a word without /");
            }
            if it.server.trim().is_empty() {
                return wrong("server", "nothing", "the name of a mail server");
            }
            if it.to.is_empty() {
                return wrong("to", "nobody", "one address or more");
            }
            if it.user.is_some() != it.password.is_some() {
                return wrong("password", "one of user and password", "both, or none");
            }
            if !limits.contains(&it.timeout) {
                return wrong("timeout", &duration_text::show(it.timeout), "100ms to 60s");
            }
        }
        for it in &self.command {
            if it.program.trim().is_empty() || it.name.trim().is_empty() || it.name.contains('/') {
                let expected = "a program, and a name without /";
                return Err(invalid("command", &it.name, "program", "nothing", expected));
            }
            if !limits.contains(&it.timeout) {
                let found = duration_text::show(it.timeout);
                return Err(invalid("command", &it.name, "timeout", &found, "100ms to 60s"));
            }
        }
        Ok(())
    }
}

pub(super) fn invalid(kind: &str, name: &str, field: &str, found: &str, expected: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!("a {kind} channel is wrong: found {found}, expected {expected}"),
    )
    .with("webhook", name)
    .with("field", format!("alerting.channels.{kind}.{field}"))
}

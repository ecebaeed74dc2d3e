//! What leaves the process: events without secrets, and with pseudonyms where asked for.

mod config;
mod key;
mod pseudonym;

pub use config::{KeySource, PrivacyConfig, Pseudonymous};
pub use key::{EnvironmentKey, FileKey};
pub use pseudonym::Pseudonyms;

use crate::cold::Excerpt;
use crate::{Redaction, url_template};
use pseudonym::Substitutes;
use std::borrow::Cow;
use std::sync::Arc;
use telemetry_interfaces::{KeyProvider, Result};
use telemetry_models::{
    CorrelationId, ErrorInfo, Event, EventId, PageContext, ProducerId, RunId, SelectorDefinition,
    SelectorName, SessionId, StrategyDefinition, StrategyKind,
};

/// Removes secrets from whole events, and from the parts that events share.
#[derive(Debug)]
pub struct Privacy {
    redaction: Redaction,
    substitutes: Substitutes,
    selectors: Option<Pseudonyms>,
    sessions: Option<Pseudonyms>,
}

impl Privacy {
    /// As configured; `keys` is asked only when pseudonyms are.
    ///
    /// # Errors
    /// That of the key provider.
    pub fn new(config: &PrivacyConfig, keys: Option<&dyn KeyProvider>) -> Result<Self> {
        let pseudonyms = match (config.pseudonyms.is_empty(), keys) {
            (true, _) => None,
            (false, Some(keys)) => Some(Pseudonyms::new(&keys.key(Pseudonyms::KEY_NAME)?)),
            (false, None) => {
                let provider = config.key.provider();
                Some(Pseudonyms::new(&provider.key(Pseudonyms::KEY_NAME)?))
            }
        };
        let wanted = |of| config.pseudonyms.contains(&of).then(|| pseudonyms.clone()).flatten();
        Ok(Self {
            redaction: Redaction::new(config.redact, config.keep_query.clone()),
            selectors: wanted(Pseudonymous::Selectors),
            sessions: wanted(Pseudonymous::Sessions),
            substitutes: Substitutes::new(pseudonyms.as_ref()),
        })
    }

    /// How texts and URLs are redacted.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Removes what is secret from every part of an event that arrived whole.
    pub fn event(&self, event: &mut Event) {
        self.identifier(&mut event.id, EventId::as_u128, EventId::new);
        if let Some(id) = &mut event.correlation_id {
            self.correlation(id);
        }
        if let Some(run) = &mut event.run {
            self.name(run, RunId::as_str, RunId::new);
        }
        if let Some(producer) = &mut event.producer {
            self.name(producer, ProducerId::as_str, ProducerId::new);
        }
        event.selector = self.selector(&event.selector);
        for attempt in &mut event.attempts {
            self.kind(&mut attempt.kind);
            if let Some(text) = &mut attempt.text {
                self.text(text);
            }
        }
        if let Some(error) = &mut event.error {
            self.error(error);
        }
        if let Some(page) = &event.page {
            event.page = Some(Arc::new(self.page(page)));
        }
        if let Some(engine) = &mut event.engine {
            self.text(engine);
        }
        if self.redaction.is_enabled() && !event.attributes.is_empty() {
            let attributes = std::mem::take(&mut event.attributes);
            event.attributes = attributes
                .into_iter()
                .map(|(key, value)| self.attribute(&key, &value).unwrap_or((key, value)))
                .collect();
        }
    }

    /// The page without secrets, with its URL template.
    pub fn page(&self, page: &PageContext) -> PageContext {
        let mut page = page.clone();
        if let Some(session) = &page.session {
            page.session = Some(self.session(session));
        }
        if let Some(tab) = &mut page.tab {
            self.replace_whole(tab, "tab");
        }
        if let Some(url) = &mut page.url
            && let Cow::Owned(redacted) = self.redaction.url(url)
        {
            *url = redacted.into();
        }
        page.url_template = match &page.url_template {
            Some(given) => Some(match self.redaction.url(given) {
                Cow::Borrowed(_) => Arc::clone(given),
                Cow::Owned(redacted) => redacted.into(),
            }),
            None => page.url.as_deref().and_then(url_template).map(Into::into),
        };
        for text in [&mut page.title, &mut page.user_agent].into_iter().flatten() {
            self.text(text);
        }
        page
    }

    /// The definition without secrets in its name and its strategies' texts.
    pub fn definition(&self, definition: &SelectorDefinition) -> SelectorDefinition {
        let strategies = definition.strategies.iter().map(|strategy| {
            let StrategyDefinition { mut kind, mut text } = strategy.clone();
            self.kind(&mut kind);
            self.text(&mut text);
            StrategyDefinition { kind, text }
        });
        SelectorDefinition {
            name: self.selector(&definition.name),
            version: definition.version,
            strategies: strategies.collect(),
        }
    }

    /// The name events of this selector bear.
    pub fn selector(&self, name: &SelectorName) -> SelectorName {
        let text = self.redaction.text(name.as_str());
        let text = match &self.selectors {
            Some(pseudonyms) => Cow::Owned(pseudonyms.selector(&text)),
            None => text,
        };
        match text {
            Cow::Borrowed(_) => name.clone(),
            Cow::Owned(text) => SelectorName::new(text).unwrap_or_else(|_| name.clone()),
        }
    }

    /// The session id events of this session bear.
    pub fn session(&self, session: &SessionId) -> SessionId {
        let text = match &self.sessions {
            Some(pseudonyms) => pseudonyms.session(session.as_str()),
            None => {
                let mut text: Arc<str> = session.shared();
                self.replace_whole(&mut text, "session");
                return SessionId::new(text).unwrap_or_else(|_| session.clone());
            }
        };
        SessionId::new(text).unwrap_or_else(|_| session.clone())
    }

    /// The run's id, which may not be a secret either.
    pub(crate) fn run(&self, run: RunId) -> RunId {
        let mut run = run;
        self.name(&mut run, RunId::as_str, RunId::new);
        run
    }

    /// As [`run`](Self::run).
    pub(crate) fn producer(&self, producer: ProducerId) -> ProducerId {
        let mut producer = producer;
        self.name(&mut producer, ProducerId::as_str, ProducerId::new);
        producer
    }

    pub(crate) fn correlation(&self, id: &mut CorrelationId) {
        self.identifier(id, CorrelationId::as_u128, CorrelationId::new);
    }

    pub(crate) fn error(&self, error: &mut ErrorInfo) {
        self.text(&mut error.kind);
        for text in [&mut error.message, &mut error.stack].into_iter().flatten() {
            self.text(text);
        }
    }

    /// Key and value without secrets; `None` when there are none.
    pub(crate) fn attribute(&self, key: &str, value: &str) -> Option<(Arc<str>, Arc<str>)> {
        if self.redaction.is_secret_name(key) {
            return Some((self.redaction.text(key).into(), "[secret]".into()));
        }
        match (self.redaction.text(key), self.redaction.text(value)) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => None,
            (key, value) => Some((key.into(), value.into())),
        }
    }

    /// What is kept of a text that may be too long, without secrets.
    pub(crate) fn excerpt(&self, excerpt: &Excerpt) -> Arc<str> {
        excerpt.keep(&self.redaction.text(excerpt.text())).into()
    }

    /// An attribute's key and what is kept of its value, without secrets.
    pub(crate) fn long_attribute(&self, key: &str, value: &Excerpt) -> (Arc<str>, Arc<str>) {
        match self.attribute(key, value.text()) {
            Some((key, masked)) => (key, value.keep(&masked).into()),
            None => (key.into(), value.keep(value.text()).into()),
        }
    }

    pub(crate) fn text(&self, text: &mut Arc<str>) {
        if let Cow::Owned(redacted) = self.redaction.text(text) {
            *text = redacted.into();
        }
    }

    fn kind(&self, kind: &mut StrategyKind) {
        if let StrategyKind::Other(name) = kind
            && let Cow::Owned(redacted) = self.redaction.text(name)
        {
            *kind = StrategyKind::new(&redacted);
        }
    }

    /// Replaces an identifier that holds a secret, or looks like one, by one that tells the same
    /// things apart.
    fn replace_whole(&self, text: &mut Arc<str>, what: &str) {
        if matches!(self.redaction.text(text), Cow::Owned(_)) {
            *text = self.substitutes.of(what, text).into();
        }
    }

    fn name<T>(
        &self,
        name: &mut T,
        text: impl Fn(&T) -> &str,
        make: impl Fn(String) -> std::result::Result<T, telemetry_models::Invalid>,
    ) {
        if self.redaction.is_secret(text(name))
            && let Ok(substitute) = make(self.substitutes.of("id", text(name)))
        {
            *name = substitute;
        }
    }

    fn identifier<T: std::fmt::Display>(
        &self,
        id: &mut T,
        bits: impl Fn(&T) -> Option<u128>,
        make: impl Fn(&str) -> std::result::Result<T, telemetry_models::Invalid>,
    ) {
        if bits(id).is_some() {
            return;
        }
        let text = id.to_string();
        if self.redaction.is_secret(&text)
            && let Ok(substitute) = make(&self.substitutes.of("id", &text))
        {
            *id = substitute;
        }
    }
}

use crate::message::fnv;
use crate::outbox::Intent;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Notification, Notifier, Receipt, Result};
use telemetry_models::Severity;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// A notifier, and what it is told.
#[derive(Clone)]
pub struct Channel {
    pub(crate) notifier: Arc<dyn Notifier>,
    pub(crate) min_severity: Severity,
    pub(crate) limit: Duration,
    pub(crate) style: Style,
    pub(crate) shown: usize,
}

/// What a channel can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Groups, of which the worst alerts are shown, and a digest of what goes beyond its limit.
    People,
    /// Every change of every group, without a limit: a program keeps track of them.
    Machine,
    /// Every alert, however many.
    Each,
}

impl Channel {
    /// A channel that is told of every alert; one try may take 60 s.
    pub fn new(notifier: impl Notifier + 'static) -> Self {
        Self {
            notifier: Arc::new(notifier),
            min_severity: Severity::Low,
            limit: Duration::from_secs(60),
            style: Style::People,
            shown: 20,
        }
    }

    /// What it can take; what people can by default.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        if style == Style::Each {
            self.shown = usize::MAX;
        }
        self
    }

    /// How many alerts of a group a message carries, 20 by default.
    #[must_use]
    pub fn shown(mut self, alerts: usize) -> Self {
        self.shown = alerts;
        self
    }

    /// The channel's name.
    pub fn name(&self) -> &str {
        self.notifier.name()
    }

    /// Sends one notification, once: no outbox, no second try.
    ///
    /// # Errors
    /// The channel's, and `Unavailable` when it does not answer within its limit.
    pub async fn send(&self, notification: &Notification) -> Result<Receipt> {
        let sending = self.notifier.notify(notification);
        match tokio::time::timeout(self.limit, sending).await {
            Ok(result) => result,
            Err(_) => Err(no_answer(self)),
        }
    }

    /// Only alerts of this severity or a higher one.
    #[must_use]
    pub fn min_severity(mut self, severity: Severity) -> Self {
        self.min_severity = severity;
        self
    }

    /// How long one try may take before it is given up and made again.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

/// How often and when a notification is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, at least 1; then the notification becomes a dead letter.
    pub tries: u32,
    /// Wait after the first try; doubles with each further one.
    pub first_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    /// Sixty-four tries over about an hour: a receiver that is restarted loses nothing.
    fn default() -> Self {
        Self { tries: 64, first_delay: Duration::from_secs(1), max_delay: Duration::from_secs(60) }
    }
}

impl RetryPolicy {
    /// The wait after this many tries.
    pub fn delay(&self, tries: u32) -> Duration {
        let factor = 2u32.saturating_pow(tries.saturating_sub(1));
        self.first_delay.saturating_mul(factor).min(self.max_delay)
    }

    /// The wait, between half and the whole of it: notifications that failed together do not come
    /// back together. The same for the same notification and try.
    fn jittered(&self, tries: u32, key: &str) -> Duration {
        let share = fnv([key, &tries.to_string()]) % 1024;
        self.delay(tries).mul_f64(0.5 + share as f64 / 2048.0)
    }
}

/// A notification that was sent or given up.
pub(crate) struct Delivery {
    pub(crate) intent: Intent,
    pub(crate) tries: u32,
    pub(crate) result: Result<Receipt>,
}

/// Sends what comes through the queue, in order, one at a time: a channel that hangs holds up
/// nobody else, and a resolution never overtakes what it resolves.
pub(crate) async fn deliver<T: From<Delivery>>(
    channel: Channel,
    retry: RetryPolicy,
    mut queue: UnboundedReceiver<Intent>,
    done: UnboundedSender<T>,
) {
    while let Some(intent) = queue.recv().await {
        let mut tries = 0;
        let result = loop {
            tries += 1;
            match channel.send(&intent.notification).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && tries < retry.tries => {
                    tracing::debug!(channel = channel.notifier.name(), tries, %error, "will retry");
                    tokio::time::sleep(retry.jittered(tries, &intent.notification.key)).await;
                }
                result => break result,
            }
        };
        if done.send(Delivery { intent, tries, result }.into()).is_err() {
            return;
        }
    }
}

fn no_answer(channel: &Channel) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Code::Processing,
        format!("no answer within {} ms", channel.limit.as_millis()),
    )
    .with("channel", channel.notifier.name())
}

use std::time::Duration;
use telemetry_models::Timestamp;

/// How many messages a channel may still be told: a bucket that holds `messages` and refills evenly
/// over `per`. Without messages there is no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    messages: f64,
    per: Duration,
    left: f64,
    at: Option<Timestamp>,
    digest_at: Option<Timestamp>,
}

impl Bucket {
    pub(crate) fn new(messages: u32, per: Duration) -> Self {
        let messages = f64::from(messages);
        Self { messages, per, left: messages, at: None, digest_at: None }
    }

    /// Takes one message, when there is one; a fifth of all is for critical ones.
    pub(crate) fn take(&mut self, now: Timestamp, critical: bool) -> bool {
        if self.messages == 0.0 {
            return true;
        }
        let passed = self.at.map_or(Duration::ZERO, |at| now.since(at));
        self.at = Some(now);
        let refill = passed.as_secs_f64() / self.per.as_secs_f64() * self.messages;
        self.left = (self.left + refill).min(self.messages);
        let kept = if critical { 0.0 } else { (self.messages / 5.0).floor() };
        let there = self.left - kept >= 1.0;
        if there {
            self.left -= 1.0;
        }
        there
    }

    /// Takes a digest: one in each `per`, the first so long after messages ran out.
    pub(crate) fn take_digest(&mut self, now: Timestamp) -> bool {
        let due = *self.digest_at.get_or_insert(now.saturating_add(self.per / 2));
        if now < due {
            return false;
        }
        self.digest_at = Some(now.saturating_add(self.per));
        true
    }
}

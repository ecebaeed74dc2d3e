use crate::diagnostics::Diagnostics;
use crate::shared::Shared;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use telemetry_interfaces::{Code, EventConsumer, Health};
use telemetry_models::{Event, Timestamp};

/// What sees every event, in the order added. One that panics is taken out and named in health;
/// the others and recording go on.
pub(crate) struct Consumers(Vec<Watched>);

struct Watched {
    name: String,
    state: State,
}

enum State {
    Working(Box<dyn EventConsumer>),
    Out(Health),
}

impl Consumers {
    /// Takes them over and shows how they are doing from the beginning.
    pub(crate) fn new(consumers: Vec<Box<dyn EventConsumer>>) -> Self {
        let watched = consumers.into_iter().map(|consumer| Watched {
            name: consumer.name().to_owned(),
            state: State::Working(consumer),
        });
        Self(watched.collect())
    }

    pub(crate) fn consume(&mut self, batch: &[Event], log: &Diagnostics, shared: &Shared) {
        self.each("consume", log, shared, |consumer| consumer.consume(batch));
    }

    pub(crate) fn tick(&mut self, now: Timestamp, log: &Diagnostics, shared: &Shared) {
        if !self.0.is_empty() {
            let ledger = shared.ledger();
            self.each("account", log, shared, |consumer| consumer.account(&ledger));
        }
        self.each("tick", log, shared, |consumer| consumer.tick(now));
        self.show(log, shared);
    }

    pub(crate) fn finish(
        &mut self,
        now: Timestamp,
        limit: Duration,
        log: &Diagnostics,
        shared: &Shared,
    ) {
        self.each("finish", log, shared, |consumer| consumer.finish(now, limit));
        self.show(log, shared);
    }

    /// Asks each how it is doing, for [`Shared::consumers`].
    pub(crate) fn show(&mut self, log: &Diagnostics, shared: &Shared) {
        let mut said = Vec::with_capacity(self.0.len());
        self.each("health", log, shared, |consumer| said.push(consumer.health()));
        let mut said = said.into_iter();
        let all = self.0.iter().filter_map(|watched| {
            let health = match &watched.state {
                State::Working(_) => said.next()?,
                State::Out(health) => health.clone(),
            };
            Some((watched.name.clone(), health))
        });
        *shared.consumers.lock() = all.collect();
    }

    fn each(
        &mut self,
        call: &str,
        log: &Diagnostics,
        shared: &Shared,
        mut work: impl FnMut(&mut dyn EventConsumer),
    ) {
        for watched in &mut self.0 {
            let State::Working(consumer) = &mut watched.state else { continue };
            let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&mut **consumer))) else {
                continue;
            };
            let message = format!(
                "it panicked in {call} ({}) and is not called any more; recording goes on",
                text(&*panic)
            );
            log.consumer_failed(&watched.name, &message, shared);
            let out = State::Out(Health::failed(Code::Processing, message));
            let gone = std::mem::replace(&mut watched.state, out);
            // What it holds is released; the panic of its end would say nothing new.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(gone)));
        }
    }
}

/// What a panic said.
pub(crate) fn text(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "without a message",
    }
}

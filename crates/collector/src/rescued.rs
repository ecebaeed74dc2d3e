use crate::chunk::Ended;
use crate::pipeline::Message;
use crate::sampling::{is_plain, is_plain_event};
use parking_lot::Mutex;

/// Failures, fallbacks and the like that found the queue full, under adaptive sampling. As many as
/// the queue itself holds.
#[derive(Debug, Default)]
pub(crate) struct Rescued {
    messages: Mutex<Vec<Message>>,
}

impl Rescued {
    /// Keeps what is not a plain success, if there is room; gives back what has to be given up.
    pub(crate) fn keep(&self, message: Message, most: usize) -> Vec<Message> {
        let sort = |ended: Vec<Ended>| {
            let (plain, other): (Vec<_>, Vec<_>) =
                ended.into_iter().partition(|it| is_plain(&it.record, it.cold.as_deref()));
            (Message::Records(plain), Message::Records(other))
        };
        let (given_up, kept) = match message {
            Message::Chunk(chunk) => sort(chunk.claim()),
            Message::Records(records) => sort(records),
            Message::Events(events) => {
                let (plain, other): (Vec<_>, Vec<_>) = events.into_iter().partition(is_plain_event);
                (Message::Events(plain), Message::Events(other))
            }
        };
        let mut messages = self.messages.lock();
        let held: u64 = messages.iter().map(Message::events).sum();
        if held + kept.events() > most as u64 {
            return vec![given_up, kept];
        }
        if kept.events() > 0 {
            messages.push(kept);
        }
        vec![given_up]
    }

    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.messages.lock())
    }
}

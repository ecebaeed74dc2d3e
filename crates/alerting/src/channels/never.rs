use telemetry_interfaces::{BoxFuture, Courier, Document, Notification, Notifier, Receipt, Result};

/// The channel of a kind that is not compiled in: there is none.
#[derive(Debug)]
pub(crate) enum Never {}

impl Notifier for Never {
    fn name(&self) -> &str {
        match *self {}
    }

    fn notify<'a>(&'a self, _: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        match *self {}
    }
}

impl Courier for Never {
    fn name(&self) -> &str {
        match *self {}
    }

    fn deliver<'a>(&'a self, _: &'a Document) -> BoxFuture<'a, Result<Receipt>> {
        match *self {}
    }
}

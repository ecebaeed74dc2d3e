use super::text::{lines, title};
use std::io::Write;
use telemetry_interfaces::{
    BoxFuture, Code, Error, ErrorKind, Notification, Notifier, Receipt, Result,
};

/// Writes notifications to the standard error.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConsoleNotifier;

impl ConsoleNotifier {
    fn write(notification: &Notification) -> Result<Receipt> {
        let mut text = format!("{} {}\n", notification.at, title(notification));
        for line in lines(notification, 8000) {
            text += &format!("  {line}\n");
        }
        std::io::stderr().write_all(text.as_bytes()).map_err(|error| {
            Error::new(ErrorKind::Invalid, Code::Processing, "cannot write to the standard error")
                .source(error)
        })?;
        Ok(Receipt { answer: "written".into() })
    }
}

impl Notifier for ConsoleNotifier {
    fn name(&self) -> &str {
        "console"
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(std::future::ready(Self::write(notification)))
    }
}

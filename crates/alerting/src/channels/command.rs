use super::config::CommandConfig;
use std::process::Stdio;
use telemetry_interfaces::{
    BoxFuture, Code, Error, ErrorKind, Notification, Notifier, Receipt, Result,
};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs a program for each notification: the notification as JSON on its standard input, the key in
/// the environment as `TELEMETRY_NOTIFICATION_KEY`. Exit code 0 accepts, 75 (`EX_TEMPFAIL` of
/// `sysexits.h`) asks for another try, any other refuses. No shell is involved.
#[derive(Clone, Debug)]
pub struct CommandNotifier {
    config: CommandConfig,
}

impl CommandNotifier {
    /// A program to run.
    pub fn new(config: &CommandConfig) -> Self {
        Self { config: config.clone() }
    }

    async fn run(&self, notification: &Notification) -> Result<Receipt> {
        let failed = |kind, message: String| {
            Error::new(kind, Code::Processing, message).with("channel", &self.config.name)
        };
        let json = serde_json::to_vec(notification)
            .map_err(|error| failed(ErrorKind::Internal, error.to_string()))?;
        let mut child = Command::new(&self.config.program)
            .args(&self.config.arguments)
            .env("TELEMETRY_NOTIFICATION_KEY", &notification.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                failed(ErrorKind::Invalid, format!("cannot run {}", self.config.program))
                    .source(error)
            })?;
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read its input may still accept.
            let _ = input.write_all(&json).await;
        }
        let status = child.wait().await.map_err(|error| {
            failed(ErrorKind::Unavailable, "the program cannot be waited for".into()).source(error)
        })?;
        match status.code() {
            Some(0) => Ok(Receipt { answer: "exit code 0".into() }),
            Some(75) | None => {
                Err(failed(ErrorKind::Unavailable, format!("the program ended with {status}")))
            }
            Some(_) => Err(failed(ErrorKind::Invalid, format!("the program ended with {status}"))),
        }
    }
}

impl Notifier for CommandNotifier {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(self.run(notification))
    }
}

use crate::arguments::Global;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::plain::plain;
use crate::settings::Settings;
use clap::Args;
use serde::Serialize;
use telemetry_runtime::alerting::channels;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Notification, NotificationKind};
use telemetry_runtime::models::{
    Alert, AlertId, AlertState, SelectorName, Severity, Signal, Timestamp,
};

/// Send a test message through the channels of the configuration
#[derive(Args, Debug)]
#[command(after_help = "\
Exit code 1 when a channel did not accept it. Nothing is kept, nothing is tried twice.

Examples:
  telemetry alerts test
  telemetry alerts test on-call --dry-run")]
pub(crate) struct TestArgs {
    /// Only these channels [default: every one]
    channels: Vec<String>,

    /// Say which channels there are, and send nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Tried<'a> {
    channel: &'a str,
    accepted: Option<bool>,
    answer: String,
}

pub(crate) fn run(args: &TestArgs, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let config = &settings.config.alerting;
    let all = channels(config)?;
    let names = config.channel_names().join(", ");
    if let Some(unknown) = args.channels.iter().find(|it| !all.iter().any(|c| c.name() == **it)) {
        let message = format!("found {unknown:?}, expected the name of a channel: {names}");
        return Err(Error::new(ErrorKind::Invalid, Code::Configuration, message).into());
    }
    let notification = notification(settings.now);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(ErrorKind::Unavailable, Code::Processing, "cannot start tokio").source(error)
        })?;
    let mut exit = Exit::Fine;
    for channel in &all {
        if !args.channels.is_empty() && !args.channels.iter().any(|it| it == channel.name()) {
            continue;
        }
        let (accepted, answer) = if args.dry_run {
            (None, "would be told".to_owned())
        } else {
            match runtime.block_on(channel.send(&notification)) {
                Ok(receipt) => (Some(true), receipt.answer),
                Err(error) => (Some(false), error.to_string()),
            }
        };
        if accepted == Some(false) {
            exit = Exit::Failed;
        }
        if global.json {
            console.json_line(&Tried { channel: channel.name(), accepted, answer })?;
            continue;
        }
        let word = match accepted {
            Some(true) => console.paint(Tone::Good, "ok"),
            Some(false) => console.paint(Tone::Bad, "fail"),
            None => console.paint(Tone::Faint, "-"),
        };
        console.line(format_args!("{word}  {}: {}", plain(channel.name()), plain(&answer)))?;
    }
    Ok(exit)
}

fn notification(now: Timestamp) -> Notification {
    let id = AlertId::new("test").expect("not blank");
    let selector = SelectorName::new("telemetry.test").expect("not blank");
    let alert = Alert {
        severity: Severity::Low,
        state: AlertState::Firing,
        fired_at: Some(now),
        summary: "a test message of selector telemetry; nothing is wrong".into(),
        ..Alert::new(id, "test", selector, Signal::ErrorRate, now)
    };
    Notification {
        key: format!("test-{}", now.as_nanos()),
        kind: NotificationKind::Test,
        at: now,
        alerts: vec![alert],
        group: None,
    }
}

//! One check after the other, each with a verdict and, where needed, a cure.

mod checks;

use crate::arguments::Global;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::plain::plain;
use serde::Serialize;
use telemetry_runtime::interfaces::Error;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One check.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, message: message.into(), cure: None }
    }

    fn warn(name: &'static str, message: impl Into<String>, cure: &str) -> Self {
        Self { status: Status::Warn, cure: Some(cure.into()), ..Self::ok(name, message) }
    }

    fn fail(name: &'static str, message: impl Into<String>, cure: &str) -> Self {
        Self { status: Status::Fail, cure: Some(cure.into()), ..Self::ok(name, message) }
    }

    /// What an error says, without its cure twice.
    fn error(name: &'static str, error: &Error) -> Self {
        let mut message = format!("{} {}", error.code(), error.message());
        for (key, value) in error.context() {
            message.push_str(&format!("; {key}: {value}"));
        }
        if let Some(source) = std::error::Error::source(error) {
            message.push_str(&format!("; because: {source}"));
        }
        let cure = error.what_to_do().map(str::to_owned);
        Self { status: Status::Fail, cure, ..Self::ok(name, message) }
    }
}

/// What `doctor --json` says.
#[derive(Serialize)]
struct Examination {
    status: Status,
    checks: Vec<Check>,
}

pub(crate) fn run(global: &Global, console: &mut Console) -> Outcome {
    let checks = checks::all(global)?;
    let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
    if global.json {
        console.json(&Examination { status, checks })?;
        return Ok(Exit::fine_if(status != Status::Fail));
    }
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for check in &checks {
        let word = match check.status {
            Status::Ok => console.paint(Tone::Good, "ok  "),
            Status::Warn => console.paint(Tone::Doubtful, "warn"),
            Status::Fail => console.paint(Tone::Bad, "fail"),
        };
        let (name, message) = (check.name, plain(&check.message));
        console.line(format_args!("{word}  {name:width$}  {message}"))?;
        if let Some(cure) = &check.cure {
            let blank = "";
            console.line(format_args!("      {blank:width$}  -> {}", plain(cure)))?;
        }
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    console.line(match (count(Status::Fail), count(Status::Warn)) {
        (0, 0) => "\nEverything is in order.".to_owned(),
        (0, warn) => format!("\nNothing is broken; {warn} to look at."),
        (fail, warn) => format!("\n{fail} failed, {warn} to look at."),
    })?;
    Ok(Exit::fine_if(status != Status::Fail))
}

//! What a person does with an alert: acknowledge, assign, comment, resolve and so on.

use crate::arguments::Global;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::moment;
use crate::settings::Settings;
use crate::state;
use clap::Args;
use std::time::Duration;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind};
use telemetry_runtime::models::{AlertAction, AlertId, AlertRequest, ResolutionMethod, Severity};

/// Which alert, who asks, and why.
#[derive(Args, Debug)]
pub(crate) struct Who {
    /// The alert's id, as in the list
    id: AlertId,

    /// Who asks [default: the user that is logged in]
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    by: Option<String>,

    /// Why; kept with the alert
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Assign {
    #[command(flatten)]
    who: Who,

    /// Who is to take care of it
    #[arg(long, value_name = "NAME")]
    to: String,
}

#[derive(Args, Debug)]
pub(crate) struct Resolve {
    #[command(flatten)]
    who: Who,

    /// manual, system_restart, config_change, deployment_fix, temporary_workaround, false_positive
    #[arg(long, value_name = "METHOD", default_value = "manual")]
    method: ResolutionMethod,
}

#[derive(Args, Debug)]
pub(crate) struct Suppress {
    #[command(flatten)]
    who: Who,

    /// For how long, at most 30 days: 30m, 2h, 1d12h
    #[arg(long = "for", value_name = "TIME", value_parser = moment::span)]
    span: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct Escalate {
    #[command(flatten)]
    who: Who,

    /// To this severity [default: the next higher one]
    #[arg(long, value_name = "SEVERITY")]
    to: Option<Severity>,
}

/// Something to be done with an alert.
pub(crate) enum Wish<'a> {
    Acknowledge(&'a Who),
    Unacknowledge(&'a Who),
    Assign(&'a Assign),
    Comment(&'a Who),
    Resolve(&'a Resolve),
    Reopen(&'a Who),
    Suppress(&'a Suppress),
    Unsuppress(&'a Who),
    Escalate(&'a Escalate),
}

pub(crate) fn run(wish: &Wish<'_>, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let (who, action) = match wish {
        Wish::Acknowledge(who) => (*who, AlertAction::Acknowledge),
        Wish::Unacknowledge(who) => (*who, AlertAction::Unacknowledge),
        Wish::Assign(it) => (&it.who, AlertAction::Assign { to: it.to.clone() }),
        Wish::Comment(who) => (*who, AlertAction::Comment),
        Wish::Resolve(it) => (&it.who, AlertAction::Resolve { method: it.method }),
        Wish::Reopen(who) => (*who, AlertAction::Reopen),
        Wish::Suppress(it) => {
            let until = settings.now.saturating_add(it.span);
            (&it.who, AlertAction::Suppress { until })
        }
        Wish::Unsuppress(who) => (*who, AlertAction::Unsuppress),
        Wish::Escalate(it) => (&it.who, AlertAction::Escalate { to: it.to }),
    };
    let Some(by) = who.by.clone().filter(|by| !by.trim().is_empty()) else {
        let message = "it is not known who asks";
        return Err(Error::new(ErrorKind::Invalid, Code::Configuration, message)
            .cure("say so with --by NAME")
            .into());
    };
    let request =
        AlertRequest { alert: who.id.clone(), at: settings.now, by, why: who.why.clone(), action };
    let asked = state::writable_book(settings.store_path())?.request(&request);
    match asked {
        Ok(alert) if global.json => console.json(&alert)?,
        Ok(alert) => super::details(&alert).write(console)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            console.note(format_args!("{error}"));
            return Ok(Exit::Failed);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Fine)
}

//! Reports that are made by themselves: when they are due, and what became of each.

mod config;
mod ledger;
mod period;
mod systemd;
mod when;

pub use config::{CatchUp, ScheduleConfig, ScheduleOn};
pub use ledger::{Due, Entry, LastRun, RunOutcome, Scheduler};
pub use systemd::{Units, units};
pub use when::When;

pub(crate) use config::validate;

use crate::{Baseline, ReportFormat};
use std::path::PathBuf;
use std::time::Duration;
use telemetry_interfaces::{Query, SelectorPattern};
use telemetry_models::Timestamp;
use telemetry_models::report::ReportKind;

/// A schedule whose configuration was read and found right.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When reports are due.
    pub when: When,
    /// How much time a report covers, up to the time it is due; without it, the time since the one
    /// before was due.
    pub period: Option<Duration>,
    /// What it is about.
    pub kind: ReportKind,
    /// Whether it is compared with the time right before, as long.
    pub compare: bool,
    /// Selectors it covers; all without it.
    pub selector: Option<SelectorPattern>,
    /// Site it covers; all without it.
    pub site: Option<String>,
    /// Forms it is written in; the first is the one delivered.
    pub formats: Vec<ReportFormat>,
    /// Where it is written.
    pub directory: PathBuf,
    /// Reports that are kept there, of each form.
    pub keep: usize,
    /// What becomes of reports that fell due while nothing ran.
    pub catch_up: CatchUp,
    /// Channels it is delivered through, by name.
    pub deliver: Vec<String>,
}

impl Schedule {
    /// Which events the report that is due at a time covers, and what it is compared with.
    pub fn query(&self, due: Timestamp) -> (Query, Option<Baseline>) {
        let second = Duration::from_secs(1);
        let from = match self.period {
            Some(period) => due.saturating_sub(period),
            None => self
                .when
                .last_until(due.saturating_sub(second))
                .unwrap_or_else(|| due.saturating_sub(period::DAY)),
        };
        let query = Query {
            selector: self.selector.clone(),
            site: self.site.as_deref().map(Into::into),
            from: Some(from),
            to: Some(due),
            ..Query::all()
        };
        let baseline = self.compare.then(|| Baseline {
            query: Query {
                from: Some(from.saturating_sub(due.since(from))),
                to: Some(from),
                ..query.clone()
            },
            words: "the time right before, as long".into(),
        });
        (query, baseline)
    }

    /// The name of what is written for a due time: `NAME-20261125T070000Z.EXTENSION`. The same due
    /// time gives the same name, so that a run that is repeated replaces its own files.
    pub fn file_name(&self, due: Timestamp, extension: &str) -> String {
        let second = due.to_string();
        let digits: String =
            second.chars().take(19).filter(|it| it.is_ascii_digit() || *it == 'T').collect();
        format!("{}-{digits}Z.{extension}", self.name)
    }

    /// Whether this schedule gave a file its name.
    pub fn is_own(&self, file_name: &str, extension: &str) -> bool {
        let stamp = file_name
            .strip_prefix(self.name.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .and_then(|rest| rest.strip_suffix(extension))
            .and_then(|rest| rest.strip_suffix("Z."));
        stamp.is_some_and(|stamp| {
            stamp.len() == 15
                && stamp.bytes().enumerate().all(|(at, byte)| match at {
                    8 => byte == b'T',
                    _ => byte.is_ascii_digit(),
                })
        })
    }
}

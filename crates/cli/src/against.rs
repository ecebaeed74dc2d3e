use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Query, Result};
use telemetry_runtime::models::{RunId, Timestamp};
use telemetry_runtime::reporting::Baseline;

use crate::moment::Moment;

/// The period a report is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Against {
    /// The same time of the day before.
    Yesterday,
    /// The same time of the week before.
    LastWeek,
    /// As long, right before.
    Previous,
    /// The events of one run.
    Run(RunId),
    /// From one moment to another.
    Between(Moment, Moment),
}

/// What was expected instead.
#[derive(Debug)]
pub(crate) struct NotAPeriod;

impl fmt::Display for NotAPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected yesterday, last-week, previous, run:ID, or two times with two dots between \
             them (2026-11-01..2026-11-08)",
        )
    }
}

impl std::error::Error for NotAPeriod {}

impl FromStr for Against {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        if let Some(run) = text.strip_prefix("run:") {
            return RunId::new(run).map(Self::Run).map_err(|_| NotAPeriod);
        }
        if let Some((from, to)) = text.split_once("..") {
            let moment = |text: &str| text.parse::<Moment>().map_err(|_| NotAPeriod);
            return Ok(Self::Between(moment(from)?, moment(to)?));
        }
        match text {
            "yesterday" => Ok(Self::Yesterday),
            "last-week" => Ok(Self::LastWeek),
            "previous" => Ok(Self::Previous),
            _ => Err(NotAPeriod),
        }
    }
}

impl Against {
    /// The same selectors and site at the other time.
    ///
    /// # Errors
    /// TEL-003 when the other time cannot be told, or is empty.
    pub(crate) fn baseline(&self, query: &Query, now: Timestamp) -> Result<Baseline> {
        const DAY: Duration = Duration::from_secs(86_400);
        let to = query.to.unwrap_or(now);
        let from = || {
            query.from.ok_or_else(|| {
                invalid("a period without a beginning cannot be moved to another time")
                    .cure("say with --since where this period begins")
            })
        };
        let moved = |by: Duration, words: &str| {
            Ok(Baseline {
                query: Query {
                    from: Some(from()?.saturating_sub(by)),
                    to: Some(to.saturating_sub(by)),
                    ..query.clone()
                },
                words: words.to_owned(),
            })
        };
        match self {
            Self::Yesterday => moved(DAY, "the same time a day before"),
            Self::LastWeek => moved(DAY * 7, "the same time a week before"),
            Self::Previous => moved(to.since(from()?), "the time right before, as long"),
            Self::Run(run) => Ok(Baseline {
                query: Query { from: None, to: None, run: Some(run.clone()), ..query.clone() },
                words: format!("run {run}"),
            }),
            Self::Between(from, to) => {
                let (from, to) = (from.resolve(now), to.resolve(now));
                if from >= to {
                    return Err(invalid("the period to compare with ends before it begins")
                        .with("from", from)
                        .with("to", to)
                        .cure("give the earlier time first"));
                }
                Ok(Baseline {
                    query: Query { from: Some(from), to: Some(to), ..query.clone() },
                    words: format!("{from} to {to}"),
                })
            }
        }
    }

    /// As on the command line, with relative times written out.
    pub(crate) fn written(&self, now: Timestamp) -> String {
        match self {
            Self::Yesterday => "yesterday".into(),
            Self::LastWeek => "last-week".into(),
            Self::Previous => "previous".into(),
            Self::Run(run) => format!("run:{run}"),
            Self::Between(from, to) => format!("{}..{}", from.resolve(now), to.resolve(now)),
        }
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::Invalid, Code::InvalidEvent, message)
}

use super::AttemptV1;
use crate::Attempt;
use serde::Serializer;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

pub(super) fn attempts<S: Serializer>(
    attempts: &&[Attempt],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(attempts.iter().map(AttemptV1::new))
}

pub(super) fn shown<T: Display, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn shown_option<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

pub(super) fn millis_option<S: Serializer>(
    value: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.serialize_f64(millis(*value)),
        None => serializer.serialize_none(),
    }
}

pub(super) fn millis_map<S: Serializer>(
    value: &Option<BTreeMap<&str, Duration>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(map) => serializer.collect_map(map.iter().map(|(kind, time)| (kind, millis(*time)))),
        None => serializer.serialize_none(),
    }
}

/// One division, so that the nearest `f64` is written and rounding on reading restores the
/// nanosecond.
fn millis(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e6
}

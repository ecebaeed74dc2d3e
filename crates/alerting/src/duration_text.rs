//! Durations as people write them: `10m`, `30s`, `1h 30m`, `250ms`.
//!
//! The format is jiff's "friendly" duration (units up to hours) or ISO 8601 (`PT10M`).

use jiff::SignedDuration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;

pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>().ok().and_then(|it| Duration::try_from(it).ok()).ok_or_else(
        || {
            format!(
                "found {text:?}, expected a duration in hours, minutes and seconds such as \
                 \"10m\", \"30s\" or \"1h30m\""
            )
        },
    )
}

pub(crate) fn show(duration: Duration) -> String {
    match SignedDuration::try_from(duration) {
        Ok(signed) => format!("{signed:#}"),
        Err(_) => format!("{}s", duration.as_secs()),
    }
}

pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show(*duration))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(from)?).map_err(D::Error::custom)
}

pub(crate) mod optional {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(show).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(from).map(Some)
    }
}

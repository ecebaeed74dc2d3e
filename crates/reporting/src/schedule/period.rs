use jiff::{SpanRelativeTo, Unit};
use std::time::Duration;

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// A length of time such as `15m`, `6h` or `7d`; a day has 24 hours. `None` for what is none, or
/// not positive.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.parse().ok()?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return None;
    }
    let nanos = span.total((Unit::Nanosecond, SpanRelativeTo::days_are_24_hours())).ok()?;
    (nanos > 0.0).then(|| Duration::from_secs_f64(nanos / 1e9))
}

/// As short as `parse` takes it.
pub(super) fn words(length: Duration) -> String {
    let seconds = length.as_secs();
    let (count, unit) = match seconds {
        0 => (1, "s"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "d"),
        _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "h"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "m"),
        _ => (seconds, "s"),
    };
    format!("{count}{unit}")
}

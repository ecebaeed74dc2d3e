use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use telemetry_runtime::models::Timestamp;

/// A time on the command line: absolute, or so long before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// `now`.
    Now,
    /// `-2h`, `-1d12h`.
    Ago(Duration),
    /// RFC 3339, or a day.
    At(Timestamp),
}

impl Moment {
    /// The instant meant when it is `now`.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::Ago(ago) => now.saturating_sub(ago),
            Self::At(at) => at,
        }
    }
}

/// What was expected instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAMoment;

impl fmt::Display for NotAMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected a time ago with a minus and the units s, m, h, d or w (-30m, -2h, -1d12h), \
             a day (2026-11-01, from midnight UTC), RFC 3339 (2026-11-01T12:00:00Z), or now",
        )
    }
}

impl std::error::Error for NotAMoment {}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some(ago) = text.strip_prefix('-') {
            return duration(ago).map(Self::Ago).ok_or(NotAMoment);
        }
        let is_day = text.len() == 10 && !text.contains(['T', 't', ':']);
        let full = if is_day { format!("{text}T00:00:00Z") } else { text.to_owned() };
        full.parse().map(Self::At).map_err(|_| NotAMoment)
    }
}

/// A length of time on the command line: `30m`, `2h`, `1d12h`.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| {
        format!("found {text:?}, expected numbers with the units s, m, h, d or w, as in 1d12h")
    })
}

/// Whole numbers with a unit each, at least one.
fn duration(text: &str) -> Option<Duration> {
    let mut total = 0u64;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|symbol: char| !symbol.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let seconds = match rest.as_bytes()[digits] {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(seconds)?)?;
        rest = &rest[digits + 1..];
    }
    Some(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::Moment;
    use std::time::Duration;

    fn check(text: &str, expected: &str) {
        let now = "2026-11-10T12:00:00Z".parse().unwrap();
        let found = text
            .parse::<Moment>()
            .map_or_else(|_| "refused".to_owned(), |moment| moment.resolve(now).to_string());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn times() {
        check("now", "2026-11-10T12:00:00Z");
        check("-2h", "2026-11-10T10:00:00Z");
        check("-30m", "2026-11-10T11:30:00Z");
        check("-1d12h", "2026-11-09T00:00:00Z");
        check("-1w", "2026-11-03T12:00:00Z");
        check("2026-11-01", "2026-11-01T00:00:00Z");
        check("2026-11-01T14:30:00+02:00", "2026-11-01T12:30:00Z");
        check("2026-11-01T14:30:00", "2026-11-01T14:30:00Z");
        for wrong in
            ["", "-", "-h", "-2", "-2x", "2h", "yesterday", "2026-13-01", "-é", "-2é", "日本日本日"]
        {
            check(wrong, "refused");
        }
        check("-99999999999999999999s", "refused");
        check("-999999999999999d", "refused");
    }

    #[test]
    fn longer_ago_than_time_itself_is_no_overflow() {
        let ago: Moment = "-9999999d".parse().unwrap();
        assert_eq!(ago, Moment::Ago(Duration::from_secs(9_999_999 * 86_400)));
        let year_1800 = "1800-01-01T00:00:00Z".parse().unwrap();
        assert!(ago.resolve("2026-11-10T12:00:00Z".parse().unwrap()) < year_1800);
    }
}

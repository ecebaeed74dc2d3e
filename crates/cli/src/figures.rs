//! How numbers and times are written for people.

use std::time::Duration;
use telemetry_runtime::models::Timestamp;

/// `12,345`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `3 events`, `1 event`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// Milliseconds with as many digits as mean something: `0.042`, `1.25`, `130`.
pub(crate) fn milliseconds(ms: f64) -> String {
    match ms.abs() {
        size if size < 1.0 => format!("{ms:.3}"),
        size if size < 100.0 => format!("{ms:.2}"),
        _ => format!("{ms:.0}"),
    }
}

/// A duration in milliseconds.
pub(crate) fn duration_ms(duration: Duration) -> String {
    milliseconds(duration.as_secs_f64() * 1e3)
}

/// `97.5%`. A share that is not whole never shows as 0 or 100.
pub(crate) fn percent(share: f64) -> String {
    let tenths = (share * 1e3).round();
    let tenths = match tenths {
        0.0 if share > 0.0 => 1.0,
        1000.0 if share < 1.0 => 999.0,
        tenths => tenths,
    };
    format!("{:.1}%", tenths / 10.0)
}

/// RFC 3339 in UTC with milliseconds, always 24 characters for years 1000 to 9999.
pub(crate) fn time(at: Timestamp) -> String {
    let milliseconds = at.as_millis().rem_euclid(86_400_000);
    let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
    let (seconds, rest) = (milliseconds / 1000 % 60, milliseconds % 1000);
    format!("{}T{hours:02}:{minutes:02}:{seconds:02}.{rest:03}Z", at.day())
}

/// Roughly how long: `12 s`, `3 min`, `5 h`, `2 days`.
pub(crate) fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", count(seconds / 86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(milliseconds(0.0421), "0.042");
        assert_eq!(milliseconds(129.6), "130");
        assert_eq!(percent(1.0), "100.0%");
        assert_eq!(percent(0.9999), "99.9%");
        assert_eq!(percent(0.0001), "0.1%");
        assert_eq!(percent(0.0), "0.0%");
        assert_eq!(age(Duration::from_secs(200)), "3 min");
    }

    #[test]
    fn times_have_one_width() {
        let at: Timestamp = "2026-11-01T02:03:04.0056Z".parse().unwrap();
        assert_eq!(time(at), "2026-11-01T02:03:04.005Z");
        let before: Timestamp = "1969-12-31T23:59:59.999999Z".parse().unwrap();
        assert_eq!(time(before), "1969-12-31T23:59:59.999Z");
    }
}

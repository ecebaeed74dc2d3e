//! How numbers, times and foreign strings are written, the same in every format for people.

use std::fmt::Write;
use telemetry_models::report::{Measure, Rate};
use telemetry_models::{Signal, Timestamp};

/// `4,830`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `3 operations`, `1 operation`; the plural is the singular with an s.
pub(crate) fn counted(value: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(value), if value == 1 { "" } else { "s" })
}

/// `99.6%`. Only a share of exactly 0 or 1 is written as 0% or 100%.
pub(crate) fn percent(share: f64) -> String {
    if share <= 0.0 {
        "0%".into()
    } else if share >= 1.0 {
        "100%".into()
    } else {
        format!("{:.1}%", (share * 100.0).clamp(0.1, 99.9))
    }
}

/// `850 µs`, `3.42 ms`, `34.2 ms`, `342 ms`, `12.3 s`, `2.8 h`.
pub(crate) fn millis(ms: f64) -> String {
    match ms {
        ms if ms < 0.9995 => format!("{:.0} µs", ms * 1e3),
        ms if ms < 9.995 => format!("{ms:.2} ms"),
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        ms if ms < 9_999.5 => format!("{ms:.0} ms"),
        ms if ms < 7_200_000.0 => format!("{:.1} s", ms / 1e3),
        ms => format!("{:.1} h", ms / 3_600_000.0),
    }
}

/// `99.6% of 4,812`.
pub(crate) fn rate(rate: &Rate) -> String {
    format!("{} of {}", percent(rate.share), count(rate.n))
}

/// `99.3–99.7%`.
pub(crate) fn interval(rate: &Rate) -> String {
    let low = percent(rate.low);
    format!("{}–{}", low.trim_end_matches('%'), percent(rate.high))
}

/// A signal's value in its unit, without samples.
pub(crate) fn value(signal: Signal, value: f64) -> String {
    match signal {
        Signal::SuccessRate
        | Signal::ErrorRate
        | Signal::ZeroMatchRate
        | Signal::TimeoutRate
        | Signal::ValidationFailureRate
        | Signal::EnvironmentFaultRate
        | Signal::FallbackRate => percent(value),
        Signal::DurationMs => millis(value),
        Signal::Frequency => format!("{value:.2}/s"),
        _ => format!("{value:.2}"),
    }
}

/// `100% of 412`, `12.0 ms (n 300)`.
pub(crate) fn measure(measure: &Measure) -> String {
    let value = value(measure.signal, measure.value);
    if value.ends_with('%') {
        format!("{value} of {}", count(measure.n))
    } else {
        format!("{value} (n {})", count(measure.n))
    }
}

/// `2026-01-31 12:00:03 UTC`; fractions of a second are cut.
pub(crate) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", time.get(..8).unwrap_or(time))
}

/// `1 s`, `4 min`, `1.1 h`, `2.3 days`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{:.0} min", seconds as f64 / 60.0),
        7_200..172_800 => format!("{:.1} h", seconds as f64 / 3_600.0),
        _ => format!("{:.1} days", seconds as f64 / 86_400.0),
    }
}

/// Makes a string from a web page harmless for terminals and readers: what would steer a terminal
/// (control characters), reorder text (bidirectional controls) or hide (invisible ones) is
/// written out, as in `\u{1b}`.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '\n' | '\t' | '\r' => clean.push(' '),
            symbol if is_deceptive(symbol) => {
                write!(clean, "{}", symbol.escape_unicode()).expect("a String takes everything");
            }
            symbol => clean.push(symbol),
        }
    }
    clean
}

/// Controls, and the format characters (Unicode category Cf) and separators that reorder or hide.
pub(crate) fn is_deceptive(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// Rounded to the given number of decimals, as numbers in a report are.
pub(crate) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    let rounded = (value * scale).round() / scale;
    if rounded.is_finite() { rounded } else { value }
}

#[cfg(test)]
mod tests {
    use super::{clean, count, millis, percent, span};

    #[test]
    fn numbers() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(12_345_678)],
            ["0", "999", "1,000", "12,345,678"]
        );
        assert_eq!(
            [0.0, 1.0, 0.99999, 0.00001, 0.5].map(percent),
            ["0%", "100%", "99.9%", "0.1%", "50.0%"]
        );
        assert_eq!(
            [0.0, 0.85, 0.9996, 3.421, 34.21, 342.1, 12_345.0, 1e7].map(millis),
            ["0 µs", "850 µs", "1.00 ms", "3.42 ms", "34.2 ms", "342 ms", "12.3 s", "2.8 h"]
        );
        assert_eq!([1, 240, 8_192, 262_144].map(span), ["1 s", "4 min", "2.3 h", "3.0 days"]);
    }

    #[test]
    fn nothing_deceptive_is_left() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d\u{9b}e"), "a\\u{1b}[31mb c\\u{202e}d\\u{9b}e");
        assert_eq!(clean("prix · 価格 · סכום"), "prix · 価格 · סכום");
    }
}

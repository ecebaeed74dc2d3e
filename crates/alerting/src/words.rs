//! Words of the configuration, read so that a mistake is explained.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use telemetry_models::Signal;

/// Reads a signal's name; a wrong one is answered with the nearest and with all of them.
pub(crate) fn signal<'de, D: Deserializer<'de>>(from: D) -> Result<Signal, D::Error> {
    let found = String::deserialize(from)?;
    let watchable = |signal: &Signal| *signal != Signal::Health;
    found.parse().ok().filter(watchable).ok_or_else(|| {
        let known = Signal::ALL.iter().filter(|signal| watchable(signal));
        let known: Vec<_> = known.map(|signal| signal.as_str()).collect();
        let nearest = known
            .iter()
            .map(|word| (distance(&found, word), word))
            .min()
            .filter(|(distance, word)| *distance <= word.len() / 2);
        let hint = nearest.map_or(String::new(), |(_, word)| format!("; did you mean {word:?}?"));
        D::Error::custom(format!(
            "unknown signal {found:?}{hint}; known signals: {}",
            known.join(", ")
        ))
    })
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A selector pattern as text.
pub(crate) mod pattern {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use telemetry_interfaces::SelectorPattern;

    pub(crate) fn serialize<S: Serializer>(
        pattern: &SelectorPattern,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(pattern.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SelectorPattern, D::Error> {
        SelectorPattern::new(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// A pattern that may be absent.
pub(crate) mod optional_pattern {
    use serde::{Deserializer, Serializer};
    use telemetry_interfaces::SelectorPattern;

    pub(crate) fn serialize<S: Serializer>(
        pattern: &Option<SelectorPattern>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match pattern {
            Some(pattern) => to.serialize_some(pattern.as_str()),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<SelectorPattern>, D::Error> {
        super::pattern::deserialize(from).map(Some)
    }
}

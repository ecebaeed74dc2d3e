//! An engine that exists: it looks for the first of several keys in `key = value` lines.

/// The engine.
pub struct SettingsReader;

/// What is looked for: a name, and the keys it may have, best first.
pub struct Lookup {
    pub name: String,
    pub keys: Vec<String>,
}

impl SettingsReader {
    /// The value of one key.
    pub fn value<'a>(&self, text: &'a str, key: &str) -> Option<&'a str> {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find_map(|(found, value)| (found.trim() == key).then(|| value.trim()))
    }
}

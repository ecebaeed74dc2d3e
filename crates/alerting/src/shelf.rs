//! Texts that many alerts share, held once.

use std::collections::HashSet;
use std::sync::Arc;

/// Stands for the selector's name in a text that is held.
const SELECTOR: char = '\0';
/// Begins a text that is held as it is, because it has a [`SELECTOR`] of its own.
const VERBATIM: char = '\u{1}';
/// Texts held before those that nobody needs any more are looked for.
const FEW: usize = 1024;

/// Texts of an alert.
const TEXTS: usize = 11;

type Hasher = foldhash::fast::RandomState;

/// The texts of one alert, each as it is without the selector's name.
pub(crate) type Texts = [Option<Arc<str>>; TEXTS];

/// Holds texts of alerts once. Alerts of one cause differ in their selector and in little else: a
/// thousand of them cost the texts of one.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    texts: HashSet<Arc<str>, Hasher>,
    sets: HashSet<Arc<Texts>, Hasher>,
    tidy_at: usize,
}

impl Shelf {
    /// Puts the texts of a selector's alert on the shelf.
    pub(crate) fn put(&mut self, selector: &str, texts: [Option<&str>; TEXTS]) -> Arc<Texts> {
        let texts: Texts = texts.map(|text| Some(self.text(&without(selector, text?))));
        if let Some(known) = self.sets.get(&texts) {
            return Arc::clone(known);
        }
        let texts = Arc::new(texts);
        self.sets.insert(Arc::clone(&texts));
        self.tidy();
        texts
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }

    /// Lets go of what no alert has any more, each time the shelf has doubled.
    fn tidy(&mut self) {
        if self.texts.len() < self.tidy_at.max(FEW) {
            return;
        }
        self.sets.retain(|it| Arc::strong_count(it) > 1);
        self.texts.retain(|it| Arc::strong_count(it) > 1);
        self.tidy_at = 2 * self.texts.len();
    }
}

fn without(selector: &str, text: &str) -> String {
    if text.contains([SELECTOR, VERBATIM]) {
        return format!("{VERBATIM}{text}");
    }
    text.replace(selector, SELECTOR.encode_utf8(&mut [0; 1]))
}

/// A text from the shelf, for a selector.
pub(crate) fn with(selector: &str, text: &str) -> String {
    match text.strip_prefix(VERBATIM) {
        Some(verbatim) => verbatim.to_owned(),
        None => text.replace(SELECTOR, selector),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_they_were_and_alike_ones_are_held_once() {
        let mut shelf = Shelf::default();
        let mut texts = [None; TEXTS];
        for (selector, text) in [
            ("shop.price", "shop.price fails: 3 of the last 3 operations"),
            ("shop.name", "shop.name fails: 3 of the last 3 operations"),
            ("a", "a\0a\u{1}"),
            ("\0", "fails"),
            ("fails", ""),
        ] {
            texts[4] = Some(text);
            let put = shelf.put(selector, texts);
            assert_eq!(with(selector, put[4].as_deref().unwrap()), text, "{selector}");
            assert_eq!(put[3], None);
        }
        assert_eq!(shelf.sets.len(), 4, "the first two are one");
    }

    #[test]
    fn what_no_alert_has_any_more_goes() {
        let mut shelf = Shelf::default();
        let kept = shelf.put("s", [Some("kept"); TEXTS]);
        for number in 0..10 * FEW {
            shelf.put("s", [Some(number.to_string().as_str()); TEXTS]);
        }
        assert!(shelf.texts.len() <= 2 * FEW && shelf.sets.contains(&kept));
    }
}

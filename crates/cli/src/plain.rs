use std::borrow::Cow;
use std::fmt::Write;

/// Text that came from a web page, made harmless for a terminal: control characters, line breaks
/// and characters that reorder or hide text are shown as escapes (`\n`, `\u{1b}`).
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for symbol in text.chars() {
        match symbol {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            symbol if is_active(symbol) => {
                write!(shown, "\\u{{{:x}}}", u32::from(symbol)).expect("a String takes everything");
            }
            symbol => shown.push(symbol),
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal does something else with the character than show it: controls (Unicode
/// category Cc), line and paragraph separators, and the invisible and bidirectional formatting
/// characters of Unicode Technical Report 36, section 3.
fn is_active(symbol: char) -> bool {
    symbol.is_control()
        || matches!(
            symbol,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn ordinary_text_is_untouched() {
        for text in ["span.price", "prix à débattre", "価格", "a b", ""] {
            assert_eq!(plain(text), text);
        }
    }

    #[test]
    fn active_characters_become_visible() {
        assert_eq!(plain("a\nb\tc\r"), "a\\nb\\tc\\r");
        assert_eq!(plain("\x1b]0;title\x07"), "\\u{1b}]0;title\\u{7}");
        assert_eq!(plain("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(plain("abc\u{202e}fed"), "abc\\u{202e}fed");
        assert_eq!(plain("a\u{200b}b"), "a\\u{200b}b");
    }
}

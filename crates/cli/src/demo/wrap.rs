use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Breaks a text at spaces into lines of at most `width` columns. The first line begins with
/// `first`, the others are indented as far. A word that is too long for a line of its own is broken
/// where the line ends.
pub(crate) fn wrap(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = " ".repeat(first.width());
    let mut lines = vec![first.to_owned()];
    let mut used = first.width();
    let mut fresh = true;
    for word in text.split(' ') {
        let gap = usize::from(!fresh);
        if used + gap + word.width() <= width {
            let line = lines.last_mut().expect("there is a first line");
            line.push_str(&" ".repeat(gap));
            line.push_str(word);
            used += gap + word.width();
            fresh = false;
            continue;
        }
        if !fresh {
            lines.push(indent.clone());
            used = indent.len();
        }
        for symbol in word.chars() {
            let columns = symbol.width().unwrap_or(0);
            if used + columns > width && used > indent.len() {
                lines.push(indent.clone());
                used = indent.len();
            }
            lines.last_mut().expect("there is a first line").push(symbol);
            used += columns;
        }
        fresh = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;
    use expect_test::{Expect, expect};

    fn check(first: &str, text: &str, width: usize, expected: Expect) {
        expected.assert_eq(&wrap(first, text, width).join("\n"));
    }

    #[test]
    fn lines_break_at_spaces_and_keep_their_indent() {
        check("what ", "short", 20, expect!["what short"]);
        check(
            "what ",
            "matches nothing any more",
            16,
            expect![[r#"
            what matches
                 nothing any
                 more"#]],
        );
    }

    #[test]
    fn words_longer_than_a_line_are_broken() {
        check(
            "> ",
            "a abcdefghij",
            6,
            expect![[r#"
            > a
              abcd
              efgh
              ij"#]],
        );
        check(
            "> ",
            "価格価格",
            6,
            expect![[r#"
            > 価格
              価格"#]],
        );
    }
}

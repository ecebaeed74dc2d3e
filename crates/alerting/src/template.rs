//! Sentences with `{placeholders}`.

const PLACEHOLDERS: [&str; 7] =
    ["selector", "site", "rule", "signal", "value", "threshold", "samples"];

/// Checks that every placeholder is known and closed.
///
/// # Errors
/// What was found, and what was expected.
pub(crate) fn validate(template: &str) -> Result<(), (String, String)> {
    let expected = || format!("one of {{{}}}", PLACEHOLDERS.join("}, {"));
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            return Err(("a { that is not closed".to_owned(), expected()));
        };
        if !PLACEHOLDERS.contains(&name) {
            return Err((format!("{{{name}}}"), expected()));
        }
        rest = tail;
    }
    Ok(())
}

/// Fills the placeholders in; the values' own braces are left alone.
pub(crate) fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, tail)) => {
                text.push_str(&value(name));
                rest = tail;
            }
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

//! How long a file is without its tests.

use super::Finding;
use super::source::Source;

const LOOK_FOR_A_SECOND_CONCEPT: usize = 500;
const TOO_LONG: usize = 800;

pub(super) fn check(source: &Source) -> Option<Finding> {
    if !source.is_rust() || source.is_test() {
        return None;
    }
    let lines = lines_without_tests(&source.text);
    let message = |limit: usize| {
        format!(
            "{lines} lines without tests, more than {limit}. Cure: move the second concept in it \
             to a file of its own"
        )
    };
    if lines > TOO_LONG {
        Some(Finding::failure(&source.path, message(TOO_LONG)))
    } else if lines > LOOK_FOR_A_SECOND_CONCEPT {
        Some(Finding::warning(&source.path, message(LOOK_FOR_A_SECOND_CONCEPT)))
    } else {
        None
    }
}

/// Tests stand at the end of a file, behind an unindented `#[cfg(test)]` over a `mod`.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests {"));
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, lines: usize) -> Source {
        Source { path: path.into(), text: "fn f() {}\n".repeat(lines) }
    }

    #[test]
    fn the_limits() {
        let found = |path, lines| check(&source(path, lines)).map(|finding| finding.fatal);
        assert_eq!(found("crates/a/src/b.rs", 500), None);
        assert_eq!(found("crates/a/src/b.rs", 501), Some(false));
        assert_eq!(found("crates/a/src/b.rs", 800), Some(false));
        assert_eq!(found("crates/a/src/b.rs", 801), Some(true));
        assert_eq!(found("crates/a/tests/it/b.rs", 801), None);
        assert_eq!(found("crates/a/src/b/tests.rs", 801), None);
        assert_eq!(found("docs/a.md", 801), None);
    }

    #[test]
    fn tests_at_the_end_do_not_count() {
        let text = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(lines_without_tests(text), 4);
    }
}

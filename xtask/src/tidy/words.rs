//! Words that mark unfinished work, and paths of one machine.

use super::Finding;
use super::source::Source;

/// Written in two parts each, so that this file does not find itself. "Placeholder" alone is a word of
/// templates, SQL and HTML forms; these are the ways it is said of code.
const UNFINISHED: [&str; 9] = [
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
    concat!("in a real ", "implementation"),
    concat!("placeholder ", "for"),
    concat!("placeholder ", "impl"),
    concat!("placeholder ", "until"),
    concat!("placeholder ", "value"),
    concat!("a ", "placeholder."),
];

const MACHINE_PATHS: [&str; 3] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let place = || format!("{}:{}", source.path, index + 1);
        if let Some(word) = unfinished(line).filter(|_| source.is_rust()) {
            let message = format!(
                "`{word}` marks unfinished work. Cure: finish it, or take it out and write the \
                 missing part down where work is planned"
            );
            findings.push(Finding::failure(place(), message));
        }
        if let Some(path) = machine_path(line) {
            let message = format!(
                "`{path}` is a path of one machine. Cure: make it relative to the root, or a \
                 parameter"
            );
            findings.push(Finding::failure(place(), message));
        }
    }
    findings
}

fn unfinished(line: &str) -> Option<&'static str> {
    let line = line.to_lowercase();
    UNFINISHED.into_iter().find(|word| line.contains(word))
}

/// A path from the root of a file system; the same letters inside a URL or a relative path are not
/// one.
fn machine_path(line: &str) -> Option<&'static str> {
    MACHINE_PATHS.into_iter().find(|path| {
        line.match_indices(path).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-~*/}".contains(c))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_work_is_found() {
        for word in UNFINISHED {
            assert_eq!(unfinished(&format!("    {}  ", word.to_uppercase())), Some(word));
        }
        assert_eq!(unfinished("the list of things to do"), None);
    }

    #[test]
    fn a_path_of_a_machine_is_one_from_the_root() {
        for path in MACHINE_PATHS {
            assert_eq!(machine_path(&format!("open(\"{path}x\")")), Some(path));
            assert_eq!(machine_path(&format!("https://shop.example{path}x")), None);
            assert_eq!(machine_path(&format!("..{path}x")), None);
        }
    }
}

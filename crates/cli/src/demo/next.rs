use super::folder::Folder;
use std::path::Path;

/// Commands to try on a run's store, written so that they can be copied into the shell the demo was
/// started from.
#[derive(Debug)]
pub(crate) struct Next {
    program: String,
    store: String,
}

impl Next {
    /// Takes the run's folder and how this program was called.
    pub(crate) fn new(folder: &Folder) -> Self {
        let by_cargo =
            std::env::var_os("CARGO_PKG_NAME").is_some_and(|name| name == env!("CARGO_PKG_NAME"));
        let called = std::env::args_os().next().unwrap_or_default();
        Self {
            program: program(by_cargo, cfg!(debug_assertions), Path::new(&called)),
            store: quoted(&folder.store().to_string_lossy()),
        }
    }

    #[cfg(test)]
    pub(crate) fn of(program: &str, store: &str) -> Self {
        Self { program: program.to_owned(), store: store.to_owned() }
    }

    /// Makes a report of the run.
    pub(crate) fn report(&self) -> String {
        format!("{} report --store {}", self.program, self.store)
    }

    /// Makes the same HTML report again.
    pub(crate) fn html(&self) -> String {
        format!("{} report --format html --store {}", self.program, self.store)
    }

    /// Lists the operations in which a selector failed.
    pub(crate) fn failures(&self) -> String {
        format!("{} query --failed --store {}", self.program, self.store)
    }

    /// Lists the alerts.
    pub(crate) fn alerts(&self) -> String {
        format!("{} alerts list --store {}", self.program, self.store)
    }
}

/// How to call this program again: through cargo if it was, else by its path or name.
fn program(by_cargo: bool, debug: bool, called: &Path) -> String {
    if by_cargo {
        return if debug { "cargo run --" } else { "cargo run --release --" }.to_owned();
    }
    match called.file_name() {
        Some(_) => quoted(&called.to_string_lossy()),
        None => "telemetry".to_owned(),
    }
}

/// A word as a POSIX shell takes it (XCU 2.2.2, single quotes).
fn quoted(word: &str) -> String {
    let plain = |symbol: char| symbol.is_alphanumeric() || "/._-+:,=@".contains(symbol);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{program, quoted};
    use std::path::Path;

    #[test]
    fn the_program_is_called_as_it_was() {
        let path = Path::new("target/release/telemetry");
        assert_eq!(program(true, false, path), "cargo run --release --");
        assert_eq!(program(true, true, path), "cargo run --");
        assert_eq!(program(false, false, path), "target/release/telemetry");
        assert_eq!(program(false, false, Path::new("telemetry")), "telemetry");
        assert_eq!(program(false, false, Path::new("")), "telemetry");
    }

    #[test]
    fn paths_survive_the_shell() {
        assert_eq!(quoted("telemetry-demo/run-1/store"), "telemetry-demo/run-1/store");
        assert_eq!(quoted("my demo"), "'my demo'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}

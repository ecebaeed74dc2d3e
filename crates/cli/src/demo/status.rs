use crate::figures::{count, counted};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// A status area is drawn anew so often.
const REDRAW: Duration = Duration::from_millis(100);
/// Without a terminal a line says how it goes so often.
const LINE: Duration = Duration::from_secs(2);

/// How it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Time since the beginning.
    pub(crate) elapsed: Duration,
    /// Time planned.
    pub(crate) length: Duration,
    /// Operations executed.
    pub(crate) operations: u64,
    /// Events the store has acknowledged.
    pub(crate) stored: u64,
    /// Alerts that are firing.
    pub(crate) firing: u64,
}

impl Progress {
    fn time(&self) -> String {
        format!("{} of {} s", self.elapsed.as_secs(), self.length.as_secs())
    }

    fn figures(&self) -> String {
        let rate = self.operations as f64 / self.elapsed.as_secs_f64().max(0.001);
        format!(
            "{} ({rate:.0} a second), {} stored, {} firing",
            counted(self.operations, "operation"),
            count(self.stored),
            counted(self.firing, "alert"),
        )
    }
}

/// Shows how it goes, on the standard error: an area that is drawn anew on a terminal, a line now
/// and then elsewhere.
pub(crate) struct Status {
    bar: Option<ProgressBar>,
    due: Duration,
}

impl Status {
    /// Begins. On a terminal nothing else may be written to it but through
    /// [`beside`](Self::beside).
    pub(crate) fn new(length: Duration) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bar = (std::io::stderr().is_terminal() && !dumb).then(|| {
            let steps = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
            let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("[{bar:40}] {prefix}\n{msg}")
                .expect("the template's syntax is fixed");
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        let due = if bar.is_some() { Duration::ZERO } else { LINE };
        Self { bar, due }
    }

    /// Whether it is time to show something new.
    pub(crate) fn is_due(&self, elapsed: Duration) -> bool {
        elapsed >= self.due
    }

    /// Shows how it goes.
    pub(crate) fn show(&mut self, progress: &Progress) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX));
                bar.set_prefix(progress.time());
                bar.set_message(progress.figures());
                self.due = progress.elapsed + REDRAW;
            }
            None => {
                // Nobody can be told when this fails.
                let _ =
                    writeln!(std::io::stderr(), "  {}: {}", progress.time(), progress.figures());
                self.due = progress.elapsed + LINE;
            }
        }
    }

    /// Says what happens instead of progress.
    pub(crate) fn say(&self, what: &'static str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what);
            bar.tick();
        }
    }

    /// Lets something be written while the area is out of the way.
    pub(crate) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;
    use std::time::Duration;

    #[test]
    fn progress_reads_as_a_sentence_within_80_columns() {
        let mut progress = Progress {
            elapsed: Duration::from_millis(10_500),
            length: Duration::from_secs(20),
            operations: 2_100,
            stored: 2_050,
            firing: 1,
        };
        assert_eq!(progress.time(), "10 of 20 s");
        assert_eq!(
            progress.figures(),
            "2,100 operations (200 a second), 2,050 stored, 1 alert firing"
        );
        (progress.operations, progress.stored) = (12_345_678, 12_345_678);
        assert!(progress.figures().len() <= 80);
    }
}

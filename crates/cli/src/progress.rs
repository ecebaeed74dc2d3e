use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Work that is done sooner shows no progress.
const PATIENCE: Duration = Duration::from_millis(300);

/// How far long work is, on the standard error; nothing when that is not a terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// A bar of bytes.
    pub(crate) fn bytes(what: &'static str) -> Self {
        Self::new(what, "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left")
    }

    /// A counter of events, of which nobody knows how many will come.
    pub(crate) fn events(what: &'static str) -> Self {
        Self::new(what, "{spinner} {msg}: {human_pos}")
    }

    fn new(what: &'static str, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template(template)
            .expect("the templates above are all there are, and valid");
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(what);
        Self { bar, started: Instant::now() }
    }

    /// Where the work stands.
    pub(crate) fn at(&self, done: u64, all: u64) {
        self.bar.set_length(all);
        self.done(done);
    }

    /// How much is done.
    pub(crate) fn done(&self, done: u64) {
        if self.bar.is_hidden() && self.started.elapsed() > PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

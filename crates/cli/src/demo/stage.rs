use super::announce::announce;
use super::folder::Folder;
use super::status::{Progress, Status};
use crate::console::{Console, Tone};
use crate::figures::count;
use crate::plain::plain;
use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::Receiver;
use std::time::Duration;
use telemetry_runtime::interfaces::{Clock, SystemClock};
use telemetry_runtime::models::{Alert, AlertId, AlertState, AlertTransition, Timestamp};

/// Lines are not made longer than this, however wide the terminal.
const WIDEST: usize = 100;
/// Columns where no terminal says otherwise.
const USUAL: usize = 80;

/// What a person sees while the demo runs: progress, and each alert when it fires.
pub(crate) struct Stage<'a> {
    console: &'a mut Console,
    clock: &'a SystemClock,
    alerts: Receiver<AlertTransition>,
    status: Status,
    length: Duration,
    begun: Duration,
    open: BTreeSet<AlertId>,
    fired: Vec<Alert>,
}

impl<'a> Stage<'a> {
    /// A stage for a show of a planned length.
    pub(crate) fn new(
        console: &'a mut Console,
        clock: &'a SystemClock,
        alerts: Receiver<AlertTransition>,
        length: Duration,
    ) -> Self {
        Self {
            console,
            clock,
            alerts,
            status: Status::new(length),
            length,
            begun: clock.monotonic(),
            open: BTreeSet::new(),
            fired: Vec::new(),
        }
    }

    /// The clock of the whole demo.
    pub(crate) fn clock(&self) -> &'a SystemClock {
        self.clock
    }

    /// Time since the stage was set.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.begun)
    }

    /// Whether nobody watches any more.
    pub(crate) fn is_deserted(&self) -> bool {
        self.console.closed()
    }

    /// Says what is going to happen.
    pub(crate) fn open(&mut self, folder: &Folder, rate: u64) -> io::Result<()> {
        let path = folder.path().display().to_string();
        let lines = [
            format!(
                "A small shop on 127.0.0.1, its selectors used {} times a second for {} s.",
                count(rate),
                self.length.as_secs()
            ),
            "Half-way it is redesigned. Ctrl-C ends early.".to_owned(),
            format!("Everything goes to {}.", plain(&path)),
        ];
        self.write(lines.map(|line| (Tone::Normal, line)))
    }

    /// Says that the shop is another one now.
    pub(crate) fn changed(&mut self) -> io::Result<()> {
        let after = format!("The shop was redesigned after {:.1} s.", self.elapsed().as_secs_f64());
        self.write([(Tone::Normal, String::new()), (Tone::Strong, after)])
    }

    /// Shows how it goes, when it is time to.
    pub(crate) fn show(&mut self, operations: u64, stored: impl FnOnce() -> u64) {
        let elapsed = self.elapsed();
        if self.status.is_due(elapsed) {
            self.status.show(&Progress {
                elapsed,
                length: self.length,
                operations,
                stored: stored(),
                firing: self.open.len() as u64,
            });
        }
    }

    /// Shows that the last events are on their way.
    pub(crate) fn wait_for_events(&self) {
        self.status.say("storing the last events");
    }

    /// Shows the alerts that have fired since this was last called.
    pub(crate) fn announce(&mut self, changed_at: Option<Timestamp>) -> io::Result<()> {
        while let Ok(AlertTransition { from, alert, .. }) = self.alerts.try_recv() {
            if alert.state.is_open() {
                self.open.insert(alert.id.clone());
            } else {
                self.open.remove(&alert.id);
            }
            let began = matches!(from, AlertState::Inactive | AlertState::Pending);
            if began && alert.state == AlertState::Firing {
                let width = self.console.width().unwrap_or(USUAL).min(WIDEST);
                self.write(announce(&alert, changed_at, width))?;
                self.fired.push(alert);
            } else if alert.state == AlertState::Resolved {
                let line = format!("RESOLVED  {}", plain(&alert.summary));
                self.write([(Tone::Good, line)])?;
            }
        }
        Ok(())
    }

    /// Clears the stage, and gives the alerts that fired, as they were when they did.
    pub(crate) fn close(self) -> io::Result<Vec<Alert>> {
        drop(self.status);
        self.console.line("")?;
        Ok(self.fired)
    }

    fn write(&mut self, lines: impl IntoIterator<Item = (Tone, String)>) -> io::Result<()> {
        let console = &mut *self.console;
        self.status.beside(|| {
            for (tone, line) in lines {
                let line = console.paint(tone, line);
                console.line(line)?;
            }
            console.finish()
        })
    }
}

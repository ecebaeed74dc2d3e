//! Durability by interval: a thread that syncs when something was written.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Runs a job at most `interval` after it was asked for.
#[derive(Debug)]
pub(crate) struct Syncer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wanted {
    since: Option<Instant>,
    stop: bool,
}

impl Syncer {
    /// Starts the thread. `job` returns whether to go on.
    pub(crate) fn start(
        interval: Duration,
        job: impl Fn() -> bool + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("telemetry-sync".into())
            .spawn(move || while its.wait(interval) && job() {})?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Asks for the job.
    pub(crate) fn want(&self) {
        let mut wanted = self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted.since.is_none() {
            wanted.since = Some(Instant::now());
            self.shared.changed.notify_one();
        }
    }

    /// Ends the thread after the job it is at, without a last one.
    pub(crate) fn stop(&self) {
        self.shared.wanted.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.shared.changed.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic in the thread has been printed; what it protected is synced by `close`.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Waits until the job is due; `false` to end.
    fn wait(&self, interval: Duration) -> bool {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if wanted.stop {
                return false;
            }
            wanted = match wanted.since {
                None => self.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner),
                Some(since) => {
                    let left = interval.saturating_sub(since.elapsed());
                    if left.is_zero() {
                        wanted.since = None;
                        return true;
                    }
                    self.changed
                        .wait_timeout(wanted, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

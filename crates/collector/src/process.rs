use std::time::Duration;
use telemetry_models::{Event, Resources, Timestamp};

/// Longest time between two samples while the pipeline runs.
const EVERY: Duration = Duration::from_secs(1);
/// How far from the end of an operation a sample still speaks of it.
const NEAR: Duration = Duration::from_secs(5);
/// What an event can say: 1,024 MiB. More is left out rather than cut off.
const MOST_MEMORY: f64 = 1_024.0;
/// Clock ticks a second in `/proc/self/stat`: `USER_HZ`, which is 100 on every architecture Linux
/// runs on today (proc(5), sysconf(3)).
const TICKS: f64 = 100.0;

/// Samples memory and processor use of the whole process, from `/proc/self` (proc(5)). Where that
/// does not exist, both stay absent.
#[derive(Debug, Default)]
pub(crate) struct ProcessUse {
    taken: Option<Taken>,
    memory_mb: Option<f64>,
    cpu_percent: Option<f64>,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    monotonic: Duration,
    utc: Timestamp,
    /// Processor time the process had used by then, in seconds.
    used: Option<f64>,
}

impl ProcessUse {
    /// Takes a sample when the last one is old. Costs two small reads of memory-backed files.
    pub(crate) fn refresh(&mut self, monotonic: Duration, utc: Timestamp) {
        if self.taken.is_some_and(|last| monotonic.saturating_sub(last.monotonic) < EVERY) {
            return;
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get());
        self.take(monotonic, utc, &status, &stat, processors);
    }

    fn take(
        &mut self,
        monotonic: Duration,
        utc: Timestamp,
        status: &str,
        stat: &str,
        processors: usize,
    ) {
        let used = used_seconds(stat);
        let before = self.taken.replace(Taken { monotonic, utc, used });
        self.memory_mb = resident_mb(status).filter(|memory| *memory <= MOST_MEMORY);
        self.cpu_percent = before.and_then(|before| {
            let elapsed = monotonic.saturating_sub(before.monotonic).as_secs_f64();
            let share = (used? - before.used?) / elapsed / processors as f64;
            let percent = rounded(share * 100.0);
            (0.0..=100.0).contains(&percent).then_some(percent)
        });
    }

    /// Adds the sample to an event that ended near it.
    pub(crate) fn add_to(&self, event: &mut Event) {
        let Some(taken) = self.taken else { return };
        let end = event.timestamp.saturating_add(event.timing.total.unwrap_or_default());
        if taken.utc > end.saturating_add(NEAR) || end > taken.utc.saturating_add(NEAR) {
            return;
        }
        let Resources { memory_mb, cpu_percent, .. } = &mut event.resources;
        *memory_mb = self.memory_mb;
        *cpu_percent = self.cpu_percent;
    }
}

/// One digit is more than a sample is worth, and equal values cost a store nothing.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn resident_mb(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(rounded(kibibytes / 1_024.0))
}

fn used_seconds(stat: &str) -> Option<f64> {
    // The name of the program stands in parentheses and may hold anything, also parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_models::{OperationKind, Outcome};

    fn stat(user: u32, system: u32) -> String {
        format!("7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 {user} {system} 0 0 20 0 3 0 99 1 1")
    }

    fn sampled(memory: &str, first: &str, second: &str) -> (Option<f64>, Option<f64>) {
        let mut process = ProcessUse::default();
        let at = Timestamp::from_millis(1_000_000);
        process.take(Duration::ZERO, at, "", first, 2);
        process.take(Duration::from_secs(1), at, memory, second, 2);
        let mut event = Event::new(
            "1".parse().unwrap(),
            "a".parse().unwrap(),
            at,
            OperationKind::Resolution,
            Outcome::Success,
        );
        process.add_to(&mut event);
        let near = (event.resources.memory_mb, event.resources.cpu_percent);
        event.resources = Resources::default();
        event.timestamp = at.saturating_sub(Duration::from_secs(6));
        process.add_to(&mut event);
        assert_eq!(event.resources, Resources::default(), "an hour ago is another story");
        near
    }

    #[test]
    fn memory_in_mebibytes_and_processor_time_as_a_share_of_all_processors() {
        let status = "Name:\ta\nVmRSS:\t   53760 kB\nThreads:\t1\n";
        assert_eq!(sampled(status, &stat(100, 20), &stat(150, 30)), (Some(52.5), Some(30.0)));
    }

    #[test]
    fn what_an_event_cannot_say_is_left_out() {
        assert_eq!(sampled("VmRSS: 1048577 kB", &stat(0, 0), &stat(0, 0)).0, Some(1_024.0));
        assert_eq!(sampled("VmRSS: 2000000 kB", &stat(0, 0), &stat(300, 0)), (None, None));
        assert_eq!(sampled("VmRSS: lots", "", "7 (a) S 1"), (None, None));
        assert_eq!(sampled("", &stat(9, 9), &stat(1, 1)), (None, None));
    }
}

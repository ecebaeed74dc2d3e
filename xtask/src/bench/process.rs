//! What Linux knows about this process.

use anyhow::{Context, Result};
use std::fs;

/// Lets the high-water mark of resident memory begin anew; what is resident now, in bytes.
pub(super) fn begin_memory() -> Result<u64> {
    fs::write("/proc/self/clear_refs", "5").context("cannot reset the memory's high-water mark")?;
    status("VmRSS:")
}

/// The most that was resident since, in bytes.
pub(super) fn most_memory() -> Result<u64> {
    status("VmHWM:")
}

fn status(field: &str) -> Result<u64> {
    let status =
        fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(field));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: u64 = kib.with_context(|| format!("no {field} in /proc/self/status"))?.parse()?;
    Ok(kib * 1024)
}

/// Nanoseconds that the threads of this process whose name begins so were on a processor, those
/// that live.
pub(super) fn processor_nanos(thread: &str) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task").context("cannot list the threads")? {
        let task = task?.path();
        let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
        if name.starts_with(thread) {
            let schedule = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let nanos = schedule.split_whitespace().next().and_then(|it| it.parse::<u64>().ok());
            sum += nanos.unwrap_or(0);
        }
    }
    Ok(sum)
}

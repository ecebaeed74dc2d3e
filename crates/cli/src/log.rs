use std::io;
use tracing_subscriber::EnvFilter;

/// Sends the system's own log to the standard error: warnings, with `-v` information, with `-vv`
/// everything. `TELEMETRY_LOG` (directives of `tracing-subscriber`'s `EnvFilter`) takes
/// precedence; what it cannot read is left out.
pub(crate) fn start(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let directives = std::env::var("TELEMETRY_LOG").ok().filter(|it| !it.trim().is_empty());
    let filter = EnvFilter::builder().parse_lossy(directives.as_deref().unwrap_or(default));
    // Another subscriber can only be there when a test harness put it there; then it stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .try_init();
}

use chromiumoxide::Browser;
use chromiumoxide::handler::HandlerConfig;
use futures_util::StreamExt;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;

const PROGRAM: &str = "chromium";

/// A Chromium of the test's own: its port, its profile, ended with it.
pub(crate) struct Chromium {
    child: Child,
    address: String,
    _profile: TempDir,
}

impl Chromium {
    /// Starts it; `None` when there is none, which in CI is a failure of the test `name`.
    pub(crate) fn start(name: &str) -> Option<Self> {
        let Some(program) = program() else {
            let why = format!("skipped {name}: no `{PROGRAM}` on PATH (Debian package `chromium`)");
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci.is_empty() || ci == "false"),
                "{why}"
            );
            eprintln!("{why}");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-quic",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            // The only page is the test's own: what a client does for others comes in between.
            .arg("--no-startup-window")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = said
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
            .expect("chromium says where it listens");
        // A full pipe would stop it.
        std::thread::spawn(move || said.for_each(drop));
        Some(Self { child, address, _profile: profile })
    }

    /// Its WebSocket address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) async fn connect(&self, address: &str) -> Session {
        let config =
            HandlerConfig { request_timeout: Duration::from_secs(60), ..HandlerConfig::default() };
        let (browser, mut handler) = Browser::connect_with_config(address, config).await.unwrap();
        let handler = tokio::spawn(async move { while let Some(Ok(())) = handler.next().await {} });
        Session { browser, handler }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may have been ended already; there is nothing to do about a failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection, and the task that serves it.
pub(crate) struct Session {
    pub(crate) browser: Browser,
    handler: JoinHandle<()>,
}

impl Session {
    pub(crate) async fn end(self) {
        self.handler.abort();
        let _ = self.handler.await;
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).find(|file| file.is_file())
}

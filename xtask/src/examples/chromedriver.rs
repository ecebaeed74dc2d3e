use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A ChromeDriver on a free port of the loopback interface, ended with the value.
pub(super) struct Chromedriver {
    child: Child,
    /// Kept open: a driver that cannot write would end.
    _stdout: BufReader<ChildStdout>,
    port: u16,
}

impl Chromedriver {
    pub(super) fn start() -> Result<Self> {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start chromedriver")?;
        let stdout = child.stdout.take().context("chromedriver has no output")?;
        let mut stdout = BufReader::new(stdout);
        let mut said = String::new();
        let port = loop {
            ensure!(stdout.read_line(&mut said)? > 0, "chromedriver names no port: {said}");
            let port = said.split_once("successfully on port ").map(|(_, port)| port);
            let port = port.map(|port| port.trim_end().trim_end_matches('.'));
            if let Some(port) = port.and_then(|port| port.parse().ok()) {
                break port;
            }
        };
        Ok(Self { child, _stdout: stdout, port })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

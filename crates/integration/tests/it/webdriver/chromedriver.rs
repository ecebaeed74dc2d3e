use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{env, fs};
use tempfile::TempDir;

/// One browser at a time: several at once only make each other slow.
static TURN: Mutex<()> = Mutex::new(());

/// A ChromeDriver on a free port of the loopback interface, ended with the value.
pub(crate) struct Chromedriver {
    child: Child,
    /// Kept open: a driver that cannot write would end.
    _stdout: BufReader<ChildStdout>,
    port: u16,
    browser: PathBuf,
    profiles: Mutex<Vec<TempDir>>,
    _turn: MutexGuard<'static, ()>,
}

impl Chromedriver {
    /// Starts one; `None`, with a word why, where Chromium or ChromeDriver is not installed.
    ///
    /// # Panics
    /// Where they are not installed although `CI` is set.
    #[allow(clippy::print_stdout, reason = "a skipped test says why")]
    pub(crate) fn start(test: &str) -> Option<Self> {
        let (Some(driver), Some(browser)) = (installed("chromedriver"), installed("chromium"))
        else {
            let reason = "needs chromium and chromedriver (Debian: chromium, chromium-driver)";
            let ci = env::var_os("CI").is_some_and(|ci| !ci.is_empty() && ci != "false");
            assert!(!ci, "{test} {reason}");
            println!("skipped: {test} {reason}");
            return None;
        };
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        let port = loop {
            assert!(stdout.read_line(&mut said).unwrap() > 0, "no port, but: {said}");
            let port = said.split_once("successfully on port ").map(|(_, port)| port);
            if let Some(port) =
                port.and_then(|port| port.trim_end().trim_end_matches('.').parse().ok())
            {
                break port;
            }
        };
        Some(Self {
            child,
            _stdout: stdout,
            port,
            browser,
            profiles: Mutex::default(),
            _turn: turn,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// An address where nobody listens.
    pub(crate) fn unreachable() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    }

    /// Capabilities of a new session with a fresh profile, and nothing that reaches the network.
    pub(crate) fn capabilities(&self) -> Map<String, Value> {
        let profile = TempDir::new().unwrap();
        let options = json!({
            "binary": self.browser,
            "args": [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-quic",
                format!("--user-data-dir={}", profile.path().display()),
            ],
        });
        self.profiles.lock().unwrap().push(profile);
        let mut capabilities = Map::new();
        capabilities.insert("browserName".into(), "chrome".into());
        capabilities.insert("goog:chromeOptions".into(), options);
        capabilities
    }
}

impl Drop for Chromedriver {
    /// A driver that ends leaves the browsers of open sessions behind. Each has left its process
    /// id in its profile.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for profile in self.profiles.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let Ok(lock) = fs::read_link(profile.path().join("SingletonLock")) else { continue };
            if let Some((_, pid)) = lock.to_string_lossy().rsplit_once('-') {
                let _ = Command::new("kill").arg(pid).status();
            }
        }
    }
}

fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

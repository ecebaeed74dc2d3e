//! Look-ups in a real browser, where one is installed.

use super::wire::Connection;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const PAGE: &str = "<h1>Shoes</h1><ul><li><span class='price'>12.50</span></li></ul>";
const SELECTOR: &str = ".price";
const FLAGS: [&str; 4] =
    ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];

/// Finds an element.
pub(super) trait Lookup {
    fn name(&self) -> &'static str;
    fn find(&mut self) -> Result<()>;
}

/// A program of ours; ends with this value.
struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(command.spawn().with_context(|| format!("{name} cannot be started"))?))
    }

    /// Reads what it says until a line holds `mark`; what follows the mark.
    fn announcement(output: impl Read + Send + 'static, mark: &str) -> Result<String> {
        let mut lines = BufReader::new(output);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                bail!("ended without saying `{mark}`");
            }
            if let Some((_, rest)) = line.split_once(mark) {
                let rest = rest.trim().to_owned();
                // Nobody reads on, and a full pipe would stop it.
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Ok(rest);
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct WebDriver {
    connection: Connection,
    session: String,
    _driver: Program,
}

/// Over WebDriver, by ChromeDriver.
pub(super) fn web_driver() -> Result<Box<dyn Lookup>> {
    let mut driver = driver()?;
    let url = json!({ "url": format!("data:text/html,{PAGE}") });
    driver.connection.request("POST", &format!("{}/url", driver.session), &url.to_string())?;
    Ok(Box::new(driver))
}

fn driver() -> Result<WebDriver> {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut driver = Program::start(&mut command)?;
    let output = driver.0.stdout.take().context("chromedriver has no output")?;
    let said = Program::announcement(output, "started successfully on port ")?;
    let mut connection = Connection::to(said.trim_end_matches('.').parse()?)?;
    let options = json!({ "args": FLAGS });
    let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
    let answer = connection.request("POST", "/session", &wanted.to_string())?;
    let id = answer["value"]["sessionId"].as_str().context("no session was given")?;
    let session = format!("/session/{id}");
    Ok(WebDriver { connection, session, _driver: driver })
}

impl Lookup for WebDriver {
    fn name(&self) -> &'static str {
        "WebDriver"
    }

    fn find(&mut self) -> Result<()> {
        let wanted = json!({ "using": "css selector", "value": SELECTOR }).to_string();
        self.connection.request("POST", &format!("{}/element", self.session), &wanted)?;
        Ok(())
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // Ends the browser; the driver itself is ended in any case.
        let _ = self.connection.request("DELETE", &self.session, "");
    }
}

/// A browser that opens pages and runs scripts in them, over WebDriver.
pub(super) struct Session(WebDriver);

impl Session {
    pub(super) fn start() -> Result<Self> {
        Ok(Self(driver()?))
    }

    pub(super) fn open(&mut self, url: &str) -> Result<()> {
        let body = json!({ "url": url }).to_string();
        self.0.connection.request("POST", &format!("{}/url", self.0.session), &body)?;
        Ok(())
    }

    /// Runs a script that gives its result to the last of its arguments.
    pub(super) fn run(&mut self, script: &str) -> Result<serde_json::Value> {
        let body = json!({ "script": script, "args": [] }).to_string();
        let path = format!("{}/execute/async", self.0.session);
        Ok(self.0.connection.request("POST", &path, &body)?["value"].take())
    }
}

struct DevTools {
    connection: Connection,
    sent: u64,
    _browser: Program,
    _profile: TempDir,
}

/// Over the browser's own protocol.
pub(super) fn dev_tools() -> Result<Box<dyn Lookup>> {
    let profile = tempfile::tempdir()?;
    let mut command = Command::new("chromium");
    command
        .args(FLAGS)
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("about:blank")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut browser = Program::start(&mut command)?;
    let output = browser.0.stderr.take().context("chromium has no output")?;
    let said = Program::announcement(output, "DevTools listening on ws://127.0.0.1:")?;
    let port = said.split('/').next().unwrap_or_default().parse()?;
    let targets = Connection::to(port)?.request("GET", "/json/list", "")?;
    let page = targets
        .as_array()
        .into_iter()
        .flatten()
        .find(|target| target["type"] == "page")
        .and_then(|target| target["webSocketDebuggerUrl"].as_str())
        .context("the browser shows no page")?;
    let path = page.find("/devtools/").map(|at| &page[at..]).context("a page without a path")?;
    let mut connection = Connection::to(port)?;
    connection.upgrade(path)?;
    let mut tools = DevTools { connection, sent: 0, _browser: browser, _profile: profile };
    tools.evaluate(&format!("document.body.innerHTML = {}; true", json!(PAGE)))?;
    Ok(Box::new(tools))
}

impl DevTools {
    fn evaluate(&mut self, expression: &str) -> Result<()> {
        self.sent += 1;
        let call = json!({
            "id": self.sent, "method": "Runtime.evaluate", "params": { "expression": expression },
        });
        self.connection.send(&call.to_string())?;
        loop {
            let answer = self.connection.receive()?;
            if answer["id"] == self.sent {
                return match answer["result"]["result"]["value"].as_bool() {
                    Some(true) => Ok(()),
                    _ => bail!("expected `{expression}` to be true, found {answer}"),
                };
            }
        }
    }
}

impl Lookup for DevTools {
    fn name(&self) -> &'static str {
        "DevTools protocol"
    }

    fn find(&mut self) -> Result<()> {
        self.evaluate(&format!("document.querySelector('{SELECTOR}') !== null"))
    }
}

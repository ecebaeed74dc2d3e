//! Builds every member of `examples/` and runs its binaries.
//!
//! A binary runs unless its manifest says why not:
//!
//! ```toml
//! [package.metadata.example]
//! run = false            # and `reason = "…"`
//! args = ["--quick"]     # given to the binary
//! timeout_seconds = 30   # 60 unless told
//! needs = "chromedriver" # or "chromium": skipped by name where it is not installed, a failure in
//!                        # continuous integration; a ChromeDriver's address goes before `args`
//! prints = ["success"]   # what its output must contain
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process::{capture, cargo_in, in_ci};
use crate::workspace::{Member, Workspace};

/// How often a running example is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);

mod chromedriver;

use chromedriver::{Chromedriver, is_installed};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    run: bool,
    reason: String,
    args: Vec<String>,
    timeout_seconds: u64,
    needs: Option<Need>,
    prints: Vec<String>,
}

/// What a machine may lack.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Need {
    Chromedriver,
    Chromium,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            run: true,
            reason: String::new(),
            args: Vec::new(),
            timeout_seconds: 60,
            needs: None,
            prints: Vec::new(),
        }
    }
}

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let members: Vec<&Member> = workspace.members_in("examples").collect();
    if members.is_empty() {
        bail!("no member under examples/");
    }
    let executables = build(workspace, &members)?;
    let mut failed = Vec::new();
    for member in members {
        let binaries: Vec<_> =
            executables.iter().filter(|built| built.manifest == member.manifest_path).collect();
        if binaries.is_empty() {
            println!("examples: {} built (a library)", member.name);
            continue;
        }
        let settings = settings(member)?;
        if !settings.run {
            println!("examples: {} built, not run: {}", member.name, settings.reason);
            continue;
        }
        if let Some(lacking) = lacking(settings.needs) {
            println!("examples: {} built, not run: needs {lacking}", member.name);
            if in_ci() {
                failed.push(member.name.clone());
            }
            continue;
        }
        for binary in binaries {
            let folder = workspace.target.join("xtask/examples").join(&binary.name);
            match run_one(&binary.path, &settings, &folder) {
                Ok(elapsed) => println!("examples: {} ran in {elapsed:.1?}", binary.name),
                Err(error) => {
                    println!("examples: {} failed: {error:#}", binary.name);
                    failed.push(binary.name.clone());
                }
            }
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("examples that fail: {}", failed.join(", "));
}

/// What it needs and is not installed here.
fn lacking(needs: Option<Need>) -> Option<&'static str> {
    let programs: &[&'static str] = match needs {
        None => &[],
        Some(Need::Chromium) => &["chromium"],
        Some(Need::Chromedriver) => &["chromium", "chromedriver"],
    };
    programs.iter().copied().find(|program| !is_installed(program))
}

fn settings(member: &Member) -> Result<Settings> {
    let name = &member.name;
    let settings = match member.metadata.get("example") {
        Some(found) => Settings::deserialize(found)
            .with_context(|| format!("[package.metadata.example] of `{name}`"))?,
        None => Settings::default(),
    };
    if !settings.run && settings.reason.trim().is_empty() {
        bail!("[package.metadata.example] of `{name}` says `run = false` without a `reason`");
    }
    Ok(settings)
}

struct Executable {
    name: String,
    manifest: PathBuf,
    path: PathBuf,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    executable: Option<PathBuf>,
}

/// Builds the members; cargo tells in JSON where the executables are.
fn build(workspace: &Workspace, members: &[&Member]) -> Result<Vec<Executable>> {
    let mut command = cargo_in(&workspace.root, &["build", "--quiet"]);
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    for member in members {
        command.args(["--package", &member.name]);
    }
    let output = capture(&mut command)?;
    if !output.status.success() {
        bail!("the examples do not build ({})", output.status);
    }
    let mut executables = Vec::new();
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let message: Message =
            serde_json::from_slice(line).context("a message of cargo has an unknown form")?;
        if let ("compiler-artifact", Some(path)) = (message.reason.as_str(), message.executable) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            executables.push(Executable { name, manifest: message.manifest_path, path });
        }
    }
    Ok(executables)
}

/// Runs in an empty folder of its own, so that what an example writes stays under `target/`.
fn run_one(binary: &Path, settings: &Settings, folder: &Path) -> Result<Duration> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let log = folder.with_extension("log");
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let started = Instant::now();
    let driver = (settings.needs == Some(Need::Chromedriver)).then(Chromedriver::start);
    let driver = driver.transpose()?;
    let mut command = Command::new(binary);
    command
        .args(driver.as_ref().map(Chromedriver::url))
        .args(&settings.args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    match wait(&mut command, Duration::from_secs(settings.timeout_seconds))? {
        Some(status) if status.success() => {
            let elapsed = started.elapsed();
            let said = fs::read_to_string(&log).context("its output is no text")?;
            match settings.prints.iter().find(|part| !said.contains(part.as_str())) {
                None => Ok(elapsed),
                Some(part) => bail!("it does not print `{part}`; its output:\n{}", tail(&log)),
            }
        }
        Some(status) => bail!("{status}; its output:\n{}", tail(&log)),
        None => bail!(
            "still running after {} s (`timeout_seconds` in [package.metadata.example] changes \
             the limit, `run = false` with a `reason` skips it); its output:\n{}",
            settings.timeout_seconds,
            tail(&log)
        ),
    }
}

/// The exit status, or `None` when the limit passed and the program was ended.
fn wait(command: &mut Command, limit: Duration) -> Result<Option<ExitStatus>> {
    let mut child = command.spawn().context("cannot start it")?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

/// The last 30 lines of a log.
fn tail(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

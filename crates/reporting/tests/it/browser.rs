//! The HTML report in Chromium: axe-core finds nothing to object to, the table sorts and searches,
//! rows open by keyboard, and nothing hostile runs.

use crate::events::{alert, report_with, shop};
use crate::hostile;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use telemetry_interfaces::ReportRenderer;
use telemetry_models::{AlertState, Signal};
use telemetry_reporting::HtmlRenderer;

const NAME: &str = "browser::the_page_in_chromium";

/// Node's modules of the test, installed once from `package.json`; why not, when they cannot be.
fn modules() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("browser");
    let wanted = include_str!("../browser/package.json");
    let file = folder.join("package.json");
    let there = std::fs::read_to_string(&file).is_ok_and(|it| it == wanted);
    if there && folder.join("node_modules/axe-core").is_dir() {
        return Ok(folder);
    }
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    std::fs::write(&file, wanted).map_err(|error| error.to_string())?;
    let ran = Command::new("npm")
        .args(["install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&folder)
        .output()
        .map_err(|error| format!("npm: {error}"))?;
    match ran.status.success() {
        true => Ok(folder),
        false => Err(format!("npm install: {}", String::from_utf8_lossy(&ran.stderr))),
    }
}

fn chromium() -> Option<PathBuf> {
    let names = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    names.into_iter().map(PathBuf::from).find(|it| it.exists())
}

/// Modules and browser for a test; why not, where they are not there. In CI that is a failure.
pub(crate) fn needed() -> Result<(PathBuf, PathBuf), String> {
    static MODULES: std::sync::LazyLock<Result<PathBuf, String>> =
        std::sync::LazyLock::new(modules);
    let found = MODULES.clone().and_then(|modules| {
        let browser = chromium().ok_or("there is no Chromium")?;
        Ok((modules, browser))
    });
    if std::env::var("CI").as_deref() == Ok("true") {
        assert!(found.is_ok(), "{found:?}");
    }
    found
}

/// What a script of `tests/browser` prints.
pub(crate) fn run(script: &str, modules: &Path, chromium: &Path, files: &[&Path]) -> Value {
    let ran = Command::new("node")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script))
        .arg(chromium)
        .args(files)
        .env("REPORT_MODULES", modules)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn the_page_in_chromium() {
    let (modules, browser) = match needed() {
        Ok(it) => it,
        Err(why) => {
            eprintln!("{NAME} is skipped: {why}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, html: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, html).unwrap();
        path
    };
    let alerts = [alert("a1", "shop.price", Signal::ErrorRate, AlertState::Firing)];
    let html = HtmlRenderer::new().render(&report_with(&shop(), &alerts)).unwrap();
    let wild = HtmlRenderer::new().render(&hostile::everything()).unwrap();
    let files = [write("report.html", &html), write("hostile.html", &wild)];
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let told = run("check.mjs", &modules, &browser, &files);
    let empty = Value::Array(Vec::new());
    for list in ["violations", "requests", "dialogs", "errors"] {
        assert_eq!(told[list], empty, "{list}: {:#}", told[list]);
    }
    assert_eq!(told["views"], 8);
    assert_eq!((&told["rows"], &told["found"]), (&6.into(), &serde_json::json!(["shop.price"])));
    let opened = told["opened"].as_str().unwrap();
    for words in ["css", "span.price", "not found", "60", "Strategies"] {
        assert!(opened.contains(words), "{words}: {opened}");
    }
    let sorted: Vec<f64> =
        told["sorted"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!(sorted.len() >= 5 && sorted.is_sorted_by(|a, b| a >= b), "{sorted:?}");
    let without = &told["without"];
    assert_eq!((&without["rows"], &without["buttons"]), (&6.into(), &0.into()), "{without}");
    assert!(without["note"].as_str().unwrap().contains("JSON form"), "{without}");
    let injected = &told["injected"];
    assert_eq!(injected["scripts"], 2, "{injected}");
    for what in ["images", "frames", "handlers", "links"] {
        assert_eq!(injected[what], 0, "{what}: {injected}");
    }
    assert!(injected["opened"].as_u64().unwrap() > 10, "{injected}");
}

//! The engines over pages of real sites: what is recorded is what the browser itself counts.
//!
//! The pages are those of the drift corpus, as `cargo xtask corpora` unpacks them. They are served on
//! loopback without their scripts, and with nothing loaded from elsewhere.

use crate::recording::Recording;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telemetry_models::{Event, Outcome};

/// From plain to structural; one that no page has, and one that most have.
pub(crate) static SELECTORS: [&str; 7] =
    ["h1", "a[href]", "div > p", "ul li a", "img[alt]", "nav a:first-child", "selector-telemetry"];

/// Pages a test looks at, spread over the corpus.
const PAGES: usize = 6;

/// Pages on loopback, by number.
pub(crate) struct Pages {
    pub(crate) urls: Vec<String>,
}

impl Pages {
    /// Serves them for the life of the process; `None`, said by name, without the corpus. Its files
    /// are not part of the project, so that this is no failure in CI either.
    pub(crate) fn serve(test: &str) -> Option<Self> {
        let pages = Arc::new(read(test)?);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let urls = (0..pages.len()).map(|at| format!("{base}/{at}")).collect();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let pages = Arc::clone(&pages);
                std::thread::spawn(move || answer(stream.unwrap(), &pages));
            }
        });
        Some(Self { urls })
    }
}

/// The pages themselves; `None`, said by name, without the corpus.
pub(crate) fn read(test: &str) -> Option<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../corpora/drift");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "html"))
        .collect();
    if files.is_empty() {
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped {test}: no pages; `cargo xtask corpora` unpacks them");
        }
        return None;
    }
    files.sort();
    let step = (files.len() / PAGES).max(1);
    let chosen = files.into_iter().step_by(step).take(PAGES);
    Some(chosen.map(|path| std::fs::read(path).unwrap()).collect())
}

fn answer(mut stream: std::net::TcpStream, pages: &[Vec<u8>]) {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    while !request.windows(4).any(|it| it == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let page = path.parse().ok().and_then(|at: usize| pages.get(at));
    let (status, body) = page.map_or(("404 Not Found", &[][..]), |page| ("200 OK", page));
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\
         content-security-policy: default-src 'none'; sandbox\r\nconnection: close\r\n\r\n",
        body.len()
    );
    // A browser that goes away early is none of the test's business.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// The script that counts a selector's matches.
pub(crate) fn count(selector: &str) -> String {
    format!("return document.querySelectorAll({}).length", Value::from(selector))
}

/// What was recorded is what was counted, look-up by look-up.
pub(crate) fn compare(recording: &Recording, engine: &str, counted: &[(&str, u64)]) {
    let events: Vec<Event> = recording.events();
    let recorded: Vec<(&str, Outcome, Option<u32>)> = events
        .iter()
        .map(|event| (event.selector.as_str(), event.outcome, event.elements_found()))
        .collect();
    let expected: Vec<(&str, Outcome, Option<u32>)> = counted
        .iter()
        .map(|(selector, count)| {
            let outcome = if *count == 0 { Outcome::NotFound } else { Outcome::Success };
            (*selector, outcome, u32::try_from(*count).ok())
        })
        .collect();
    assert_eq!(recorded, expected);
    assert!(counted.iter().filter(|(_, count)| *count > 0).count() > PAGES, "pages with elements");
    assert!(events.iter().all(|event| event.engine.as_deref() == Some(engine)));
}

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_runtime::alerting::WebhookConfig;
use telemetry_runtime::interfaces::{
    AttemptRecord, EventSink, OperationObserver, Query, ReportRenderer, SelectorObserver,
};
use telemetry_runtime::models::{
    Attempt, AttemptOutcome, Confidence, CorrelationId, ErrorInfo, Event, OperationKind, Outcome,
    PageContext, SelectorDefinition, SessionId, Severity, StrategyDefinition, StrategyKind,
    Timestamp, json,
};
use telemetry_runtime::reporting::{
    HtmlRenderer, JsonRenderer, ReportBuilder, ReportRequest, ReportingConfig, TerminalRenderer,
};
use telemetry_runtime::storage::{Backend, open_existing_read_only};
use telemetry_runtime::{Telemetry, TelemetryConfig};

const LIMIT: Duration = Duration::from_secs(30);

/// Makes secrets, a new one at each call, of every form in turn, and remembers them all.
#[derive(Default)]
struct Planter(Vec<String>);

impl Planter {
    fn secret(&mut self) -> String {
        let at = self.0.len();
        let core = format!("Zq{at:03}Xk7Lm2Pv9Rt4Wy");
        let (needle, text) = match at % 6 {
            0 => (format!("ghp_{core}{core}"), None),
            1 => (format!("ann{at:03}.planted@mail.test"), None),
            2 => (format!("eyJhbGciOiJIUzI1NiJ9.{core}.{core}"), None),
            3 => {
                (format!("hunter{at:03}!planted"), Some(format!("password=hunter{at:03}!planted")))
            }
            4 => (format!("AKIA{at:03}PLANTEDEXAMPLE"), None),
            _ => {
                (format!("pw{at:03}planted"), Some(format!("https://me:pw{at:03}planted@in.test/")))
            }
        };
        self.0.push(needle.clone());
        text.unwrap_or(needle)
    }

    fn text(&mut self) -> String {
        format!("before '{}' after", self.secret())
    }

    fn page(&mut self) -> PageContext {
        PageContext {
            session: Some(SessionId::new(self.secret()).unwrap()),
            tab: Some(self.secret().into()),
            title: Some(self.text().into()),
            user_agent: Some(self.text().into()),
            url_template: Some(format!("/t/{}", self.plain()).into()),
            ..PageContext::at(&format!(
                "https://{}:{}@shop.test/u/{}/p;jsessionid={}?a={}&{}#{}",
                self.plain(),
                self.plain(),
                self.plain(),
                self.plain(),
                self.plain(),
                self.plain(),
                self.plain()
            ))
        }
    }

    /// A secret that a URL may hold as it is.
    fn plain(&mut self) -> String {
        loop {
            let secret = self.secret();
            if !secret.contains(['=', '/']) {
                return secret;
            }
            self.0.pop();
            self.0.push(format!("unused-{}", self.0.len()));
        }
    }
}

#[test]
fn no_planted_secret_is_in_any_file_message_or_report() {
    for backend in [Backend::Segment, Backend::Json] {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut planted = Planter::default();
        let header = planted.secret();

        let mut config = TelemetryConfig::default();
        config.storage.path.clone_from(&store);
        config.storage.backend = backend;
        config.alerting.webhooks.push(WebhookConfig {
            name: "ops".into(),
            url: format!("http://{}/", listener.local_addr().unwrap()),
            timeout: Duration::from_secs(5),
            headers: [("X-Key".to_owned(), header)].into(),
            min_severity: Severity::Low,
            secret: None,
        });
        let posted = receive(listener);
        let telemetry = Telemetry::builder(config)
            .run(planted.secret().parse().unwrap())
            .producer(planted.secret().parse().unwrap())
            .start()
            .unwrap();
        operations(&telemetry, &mut planted);
        whole_events(&telemetry, &mut planted);
        assert!(telemetry.flush(LIMIT).complete);
        assert!(telemetry.shutdown(LIMIT).failures.is_empty());
        let alerts = telemetry.alerts().unwrap();
        assert!(!alerts.is_empty(), "{backend}: nothing was raised, so nothing was shown");

        let read = open_existing_read_only(&store).unwrap();
        let mut events = 0;
        for event in read.query(&Query::all()).unwrap() {
            planted.is_not_in(json::to_string(&event.unwrap()).as_bytes(), "an event read back");
            events += 1;
        }
        assert_eq!(events, 42, "{backend}");
        let now = Timestamp::from_millis(4_000_000_000_000);
        let request = ReportRequest { alerts: &alerts, now, ..ReportRequest::default() };
        let builder = ReportBuilder::new(ReportingConfig::default()).unwrap();
        let report = builder.build(&*read, &request, &mut |_| {}).unwrap();
        planted.is_not_in(HtmlRenderer::new().render(&report).unwrap().as_bytes(), "HTML");
        planted.is_not_in(JsonRenderer::new().render(&report).unwrap().as_bytes(), "JSON");
        planted.is_not_in(TerminalRenderer::new().render(&report).unwrap().as_bytes(), "terminal");

        let body = posted.lock().unwrap().clone();
        assert!(body.windows(8).any(|it| it == b"\"firing\""), "{backend}: nothing was posted");
        planted.0.remove(0);
        planted.is_not_in(&body, "the webhook's body");
        let mut files = 0;
        search(folder.path(), &planted, &mut files);
        assert!(files >= 2, "{files} files");
    }
}

impl Planter {
    fn is_not_in(&self, bytes: &[u8], place: &str) {
        for secret in &self.0 {
            let found = bytes.windows(secret.len()).any(|it| it == secret.as_bytes());
            assert!(!found, "{secret} is in {place}: {}", String::from_utf8_lossy(bytes));
        }
    }
}

fn search(folder: &Path, planted: &Planter, files: &mut u32) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, planted, files);
        } else {
            *files += 1;
            planted.is_not_in(&std::fs::read(&path).unwrap(), &path.display().to_string());
            planted.is_not_in(path.to_string_lossy().as_bytes(), "a file's name");
        }
    }
}

/// Forty operations with secrets wherever an engine can put one; the second half fails.
fn operations(telemetry: &Telemetry, planted: &mut Planter) {
    let collector = telemetry.collector();
    let selector = collector.selector(&SelectorDefinition {
        name: format!("shop.{}", planted.secret()).parse().unwrap(),
        version: 1,
        strategies: vec![
            StrategyDefinition {
                kind: StrategyKind::Css,
                text: format!("input[value=\"{}\"]", planted.secret()).into(),
            },
            StrategyDefinition {
                kind: StrategyKind::new(&planted.secret()),
                text: planted.text().into(),
            },
        ],
    });
    let page = collector.page(&planted.page());
    let engine = planted.text();
    for at in 0..40 {
        let mut span = collector.start(&engine, selector, Some(page), OperationKind::Resolution);
        let failed = at >= 20;
        let outcome = if failed { AttemptOutcome::Empty } else { AttemptOutcome::Accepted };
        span.attempt(AttemptRecord::new(0, AttemptOutcome::Empty));
        span.attempt(AttemptRecord::new(1, outcome));
        if at % 10 == 5 {
            span.correlate(&CorrelationId::new(&planted.secret()).unwrap());
            span.attribute(&planted.text(), &planted.text());
            span.attribute("cookie", &planted.secret());
            span.snapshot(&planted.secret());
            span.confidence_component(&planted.secret(), Confidence::new(0.5).unwrap());
            span.error(&planted.secret(), &planted.text());
            span.stack(&planted.text());
        }
        span.finish(if failed { Outcome::NotFound } else { Outcome::Success });
    }
}

/// Events that arrive whole, with secrets in every text there is.
fn whole_events(telemetry: &Telemetry, planted: &mut Planter) {
    for outcome in [Outcome::NotFound, Outcome::Timeout] {
        let mut event = Event::new(
            planted.secret().parse().unwrap(),
            planted.secret().parse().unwrap(),
            Timestamp::from_millis(1_700_000_000_000),
            OperationKind::Resolution,
            outcome,
        );
        event.correlation_id = Some(planted.secret().parse().unwrap());
        event.run = Some(planted.secret().parse().unwrap());
        event.producer = Some(planted.secret().parse().unwrap());
        event.sequence = Some(1);
        event.engine = Some(planted.text().into());
        event.page = Some(Arc::new(planted.page()));
        let mut attempt = Attempt::new(StrategyKind::new(&planted.secret()), AttemptOutcome::Empty);
        attempt.text = Some(planted.text().into());
        event.attempts.push(attempt);
        event.error = Some(ErrorInfo {
            kind: planted.secret().into(),
            message: Some(planted.text().into()),
            stack: Some(planted.text().into()),
            ..ErrorInfo::default()
        });
        event.attributes.insert(planted.text().into(), planted.text().into());
        telemetry.collector().record(event);
    }
}

/// Answers every request with 204 and keeps what came.
fn receive(listener: TcpListener) -> Arc<Mutex<Vec<u8>>> {
    let posted = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&posted);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let (mut request, mut part) = (Vec::new(), [0; 4_096]);
            loop {
                let head = request.windows(4).position(|it| it == b"\r\n\r\n");
                let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let length = text
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
                    .unwrap_or(0_usize);
                if head.is_some_and(|head| request.len() >= head + 4 + length) {
                    break;
                }
                match stream.read(&mut part) {
                    Ok(count) if count > 0 => request.extend_from_slice(&part[..count]),
                    _ => break,
                }
            }
            let head = request.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or(0);
            kept.lock().unwrap().extend_from_slice(&request[head..]);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        }
    });
    posted
}

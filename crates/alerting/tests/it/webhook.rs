use crate::delivery::{AT_ONCE, LONG, breaking};
use crate::scene::{FixedClock, Visits, at, default_engine};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use telemetry_alerting::{
    AlertBook, AlertMonitor, AlertingConfig, WebhookConfig, WebhookNotifier, channels,
};
use telemetry_interfaces::{
    ErrorKind, EventConsumer, MemoryState, Notification, NotificationKind, Notifier, StateStore,
};
use telemetry_models::Severity;

/// What a receiver does with one request.
#[derive(Clone, Copy)]
pub enum Answer {
    Status(u16),
    /// Reads the request and leaves the connection open.
    Hang,
}

pub struct Request {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// A receiver on a real socket that answers as told, then 200.
pub struct Receiver {
    pub url: String,
    pub requests: Arc<Mutex<Vec<Request>>>,
    _thread: JoinHandle<()>,
}

impl Receiver {
    pub fn start(answers: &'static [Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?token=s3cret", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let thread = std::thread::spawn(move || {
            let mut hanging = Vec::new();
            let mut answers = answers.iter();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                log.lock().unwrap().push(request);
                match answers.next().copied().unwrap_or(Answer::Status(200)) {
                    Answer::Hang => hanging.push(stream),
                    Answer::Status(status) => {
                        let _ = write!(
                            stream,
                            "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                        );
                    }
                }
            }
        });
        Self { url, requests, _thread: thread }
    }

    fn keys(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|it| it.headers["idempotency-key"].clone()).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body: serde_json::from_slice(&body).ok()? })
}

fn monitor(state: &Arc<dyn StateStore>, webhooks: Vec<WebhookConfig>) -> AlertMonitor {
    let config = AlertingConfig { webhooks, log: false, ..AlertingConfig::default() };
    config.validate().unwrap();
    AlertMonitor::builder(default_engine(), Arc::clone(state), Arc::new(FixedClock))
        .channels(channels(&config).unwrap())
        .retry(AT_ONCE)
        .start()
        .unwrap()
}

fn memory() -> Arc<dyn StateStore> {
    Arc::new(MemoryState::new())
}

#[test]
fn posts_what_fired_with_a_key_and_own_headers() {
    let receiver = Receiver::start(&[]);
    let mut webhook = WebhookConfig::new("hook", &receiver.url);
    webhook.headers.insert("Authorization".into(), "Bearer token".into());
    webhook.secret = Some("Jefe".into());
    let mut monitor = monitor(&memory(), vec![webhook]);
    monitor.consume(&breaking(&mut Visits::of("shop.title")));
    monitor.finish(at(100), LONG);
    let requests = receiver.requests.lock().unwrap();
    let [request] = &requests[..] else { panic!("{} requests", requests.len()) };
    assert_eq!(request.headers["authorization"], "Bearer token");
    assert_eq!(request.headers["content-type"], "application/json");
    let body = &request.body;
    assert_eq!(request.headers["telemetry-signature"].len(), "v1=".len() + 64);
    assert_eq!(body["version"], 1);
    assert_eq!(body["key"], request.headers["idempotency-key"].as_str());
    assert_eq!(body["kind"], "firing");
    assert_eq!(body["alerts"][0]["selector"], "shop.title");
    assert_eq!(body["alerts"][0]["rule"], "selector-broken");
}

#[test]
fn is_told_again_after_a_failure_under_the_same_key() {
    let receiver = Receiver::start(&[Answer::Status(500), Answer::Status(429)]);
    let state = memory();
    let mut monitor = monitor(&state, vec![WebhookConfig::new("hook", &receiver.url)]);
    monitor.consume(&breaking(&mut Visits::of("shop.title")));
    monitor.finish(at(100), LONG);
    let keys = receiver.keys();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(AlertBook::new(state).channel("hook").unwrap().unwrap().answer, "HTTP 200");
}

#[test]
fn hanging_refusing_and_absent_receivers_leave_the_others_alone() {
    let hanging = Receiver::start(&[Answer::Hang, Answer::Hang, Answer::Hang]);
    let refusing = Receiver::start(&[Answer::Status(403)]);
    let moved = Receiver::start(&[Answer::Status(302)]);
    let good = Receiver::start(&[]);
    let mut webhooks = vec![
        WebhookConfig::new("hanging", &hanging.url),
        WebhookConfig::new("refusing", &refusing.url),
        WebhookConfig::new("moved", &moved.url),
        // Nobody listens on the port of tcpmux.
        WebhookConfig::new("absent", "http://127.0.0.1:1/"),
        WebhookConfig::new("good", &good.url),
    ];
    webhooks[0].timeout = Duration::from_millis(100);
    let state = memory();
    let mut monitor = monitor(&state, webhooks);
    monitor.consume(&breaking(&mut Visits::of("shop.title")));
    monitor.finish(at(100), LONG);
    assert_eq!(monitor.delivered(), (1, 4));
    assert_eq!(good.keys().len(), 1);
    let dead = AlertBook::new(state).dead_letters().unwrap();
    let tries: Vec<_> = dead.iter().map(|it| (it.channel.as_str(), it.tries.unwrap())).collect();
    assert_eq!(tries, [("absent", 3), ("hanging", 3), ("moved", 1), ("refusing", 1)]);
    for letter in &dead {
        let error = letter.error.as_ref().unwrap();
        assert!(!error.contains("s3cret"), "the URL's secret is not shown: {error}");
    }
}

#[test]
fn a_channel_for_severe_alerts_and_a_url_that_is_none() {
    let mut webhook = WebhookConfig::new("hook", "http://[::1");
    webhook.min_severity = Severity::High;
    let error = WebhookNotifier::new(&webhook).unwrap_err();
    assert!(error.to_string().contains("webhook: hook, field: alerting.webhooks.url"), "{error}");
    webhook.url = "https://hooks.example/".into();
    webhook.headers.insert("bad name".into(), "x".into());
    let error = WebhookNotifier::new(&webhook).unwrap_err();
    assert!(error.to_string().contains("headers"), "{error}");
}

#[test]
fn a_failed_tls_handshake_is_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let _plain = std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 X\r\n\r\n");
        }
    });
    let key = "key".to_owned();
    let notification = Notification {
        key,
        kind: NotificationKind::Test,
        at: at(0),
        alerts: Vec::new(),
        group: None,
    };
    let error = match WebhookNotifier::new(&WebhookConfig::new("hook", &url)) {
        // This machine has no certificates at all.
        Err(error) => error,
        Ok(notifier) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(notifier.notify(&notification))
            .unwrap_err(),
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

use crate::delivery::breaking;
use crate::scene::{Visits, at, default_engine, fired, observe};
use crate::webhook::Receiver;
use serde_json::Value;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use telemetry_alerting::{
    AlertingConfig, Channel, ChannelsConfig, CommandConfig, ServiceConfig, channels,
};
use telemetry_interfaces::{
    ErrorKind, NoticeGroup, Notification, NotificationKind, Receipt, Result,
};
use telemetry_models::{Alert, AlertState, Severity};

fn alert() -> Alert {
    let changes = observe(&mut default_engine(), &breaking(&mut Visits::of("shop.<b>&title")));
    fired(&changes)[0].clone()
}

fn notification(kind: NotificationKind, open: u64) -> Notification {
    let mut alert = alert();
    if kind == NotificationKind::Resolved {
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(at(60));
    }
    alert.summary = "shop matches nothing".repeat(20);
    let group = NoticeGroup { id: "shop zero".into(), title: "2 alerts".into(), count: 30, open };
    let alerts = vec![alert; 20];
    Notification { key: "key-1".into(), kind, at: at(30), alerts, group: Some(group) }
}

fn send(channel: &Channel, notification: &Notification) -> Result<Receipt> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(channel.send(notification))
}

/// What a service of this kind is posted: the path and the body.
fn posted(kind: &str, notification: &Notification) -> (String, Value) {
    let receiver = Receiver::start(&[]);
    let base = receiver.url.split("/hook").next().unwrap().to_owned();
    let mut service = ServiceConfig::new("it", &base);
    service.key = Some("k3y".into());
    service.to = Some("-42".into());
    let mut config = AlertingConfig { log: false, ..AlertingConfig::default() };
    let list = match kind {
        "slack" => &mut config.channels.slack,
        "teams" => &mut config.channels.teams,
        "discord" => &mut config.channels.discord,
        "telegram" => &mut config.channels.telegram,
        "pagerduty" => &mut config.channels.pagerduty,
        _ => &mut config.channels.alertmanager,
    };
    list.push(service);
    config.validate().unwrap();
    let receipt = send(&channels(&config).unwrap()[0], notification).unwrap();
    assert_eq!(receipt.answer, "HTTP 200");
    let requests = receiver.requests.lock().unwrap();
    (requests[0].path.clone(), requests[0].body.clone())
}

fn length(value: &Value) -> usize {
    value.as_str().unwrap().chars().count()
}

#[test]
fn slack_gets_blocks_within_its_limits() {
    let (_, body) = posted("slack", &notification(NotificationKind::Firing, 2));
    let blocks = body["blocks"].as_array().unwrap();
    assert_eq!((&blocks[0]["type"], &blocks[1]["type"]), (&"header".into(), &"section".into()));
    assert_eq!(blocks[0]["text"]["type"], "plain_text");
    assert!(length(&blocks[0]["text"]["text"]) <= 150);
    assert_eq!(blocks[1]["text"]["type"], "mrkdwn");
    assert!((1..=3000).contains(&length(&blocks[1]["text"]["text"])));
    assert!(!blocks[1]["text"]["text"].as_str().unwrap().contains("<b>"));
    assert!(body["text"].is_string());
}

#[test]
fn teams_gets_an_adaptive_card() {
    let (_, body) = posted("teams", &notification(NotificationKind::Firing, 2));
    assert_eq!(body["type"], "message");
    let attachment = &body["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!((&card["type"], &card["version"]), (&"AdaptiveCard".into(), &"1.4".into()));
    assert!(card["body"].as_array().unwrap().iter().all(|it| it["type"] == "TextBlock"));
    assert!(body.to_string().len() < 28_000);
}

#[test]
fn discord_gets_an_embed_within_its_limits_and_mentions_nobody() {
    let (_, body) = posted("discord", &notification(NotificationKind::Resolved, 0));
    assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]));
    let embed = &body["embeds"][0];
    assert!(length(&embed["title"]) <= 256 && length(&embed["description"]) <= 4096);
    assert!(embed["color"].is_u64());
}

#[test]
fn telegram_gets_plain_text_for_its_chat() {
    let (path, body) = posted("telegram", &notification(NotificationKind::Firing, 2));
    assert_eq!(path, "/botk3y/sendMessage");
    assert_eq!(body["chat_id"], "-42");
    assert!((1..=4096).contains(&length(&body["text"])));
    assert_eq!(body.get("parse_mode"), None);
}

#[test]
fn pagerduty_gets_one_incident_for_a_group() {
    let (_, body) = posted("pagerduty", &notification(NotificationKind::Firing, 2));
    assert_eq!(body["event_action"], "trigger");
    assert_eq!(body["dedup_key"], "shop zero");
    assert_eq!(body["routing_key"], "k3y");
    let payload = &body["payload"];
    assert!(length(&payload["summary"]) <= 1024);
    let severity = payload["severity"].as_str().unwrap();
    assert!(["critical", "error", "warning", "info"].contains(&severity));
    assert_eq!(payload["source"], "shop.example");
    let (_, body) = posted("pagerduty", &notification(NotificationKind::Resolved, 1));
    assert_eq!(body["event_action"], "trigger", "another alert of the group is open");
    let (_, body) = posted("pagerduty", &notification(NotificationKind::Resolved, 0));
    assert_eq!(
        (&body["event_action"], &body["dedup_key"]),
        (&"resolve".into(), &"shop zero".into())
    );
}

#[test]
fn mistakes_in_a_service_are_named_and_secrets_are_not() {
    let mut it = ServiceConfig::new("pager", "https://events.example/");
    let check = |it: &ServiceConfig, expected: &str| {
        let list = ChannelsConfig { pagerduty: vec![it.clone()], ..ChannelsConfig::default() };
        let error = list.validate().unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
    };
    check(&it, "alerting.channels.pagerduty.key");
    it.key = Some("s3cret".into());
    it.url = "events.example/s3cret".into();
    check(&it, "alerting.channels.pagerduty.url");
    it.url = "https://events.example/".into();
    it.timeout = Duration::from_secs(600);
    check(&it, "alerting.channels.pagerduty.timeout");
}

#[test]
fn a_program_accepts_asks_again_or_refuses() {
    let folder = std::env::temp_dir().join(format!("telemetry-command-{}", std::process::id()));
    let file = folder.display().to_string();
    let run = |script: &str| {
        let config = CommandConfig {
            name: "script".into(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            timeout: Duration::from_secs(10),
            min_severity: Severity::Low,
        };
        let channels_of = ChannelsConfig { command: vec![config], ..ChannelsConfig::default() };
        let config = AlertingConfig { log: false, channels: channels_of, ..Default::default() };
        send(&channels(&config).unwrap()[0], &notification(NotificationKind::Firing, 1))
    };
    let script = format!("cat > {file}; test \"$TELEMETRY_NOTIFICATION_KEY\" = key-1");
    assert_eq!(run(&script).unwrap().answer, "exit code 0");
    let read: Notification = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(read, notification(NotificationKind::Firing, 1));
    assert_eq!(run("exit 75").unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(run("exit 1").unwrap_err().kind(), ErrorKind::Invalid);
}

/// Debian's `prometheus-alertmanager` on a free port, ended with the test.
struct Alertmanager {
    child: Child,
    url: String,
    folder: std::path::PathBuf,
}

impl Alertmanager {
    fn start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = std::env::temp_dir().join(format!("telemetry-am-{}", free.port()));
        std::fs::create_dir_all(&folder).unwrap();
        let config = folder.join("alertmanager.yml");
        std::fs::write(&config, "route: {receiver: none}\nreceivers: [{name: none}]\n").unwrap();
        let child = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={free}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, url: format!("http://{free}"), folder }),
            Err(error) => {
                assert!(std::env::var("CI").is_err(), "prometheus-alertmanager: {error}");
                eprintln!("skipped: prometheus-alertmanager is not here ({error})");
                None
            }
        }
    }

    fn alerts(&self) -> Vec<Value> {
        let host = self.url.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        use std::io::{Read, Write};
        write!(stream, "GET /api/v2/alerts HTTP/1.0\r\nHost: {host}\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn alertmanager_itself_takes_alerts_and_their_end() {
    let Some(manager) = Alertmanager::start() else { return };
    let mut config = AlertingConfig { log: false, ..AlertingConfig::default() };
    config.channels.alertmanager.push(ServiceConfig::new("am", &manager.url));
    let channel = channels(&config).unwrap().remove(0);
    let mut alert = alert();
    alert.fired_at = Some("2025-12-31T00:00:00Z".parse().unwrap());
    alert.labels.insert("bad-name".into(), "checkout".into());
    let firing = Notification {
        alerts: vec![alert.clone()],
        group: None,
        ..notification(NotificationKind::Firing, 1)
    };
    // It listens a moment after it starts; until then it is unavailable, which asks for another try.
    let begun = Instant::now();
    while let Err(error) = send(&channel, &firing) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
        std::thread::yield_now();
    }
    let alerts = manager.alerts();
    assert_eq!(alerts.len(), 1);
    let labels = &alerts[0]["labels"];
    assert_eq!(
        (&labels["selector"], &labels["bad_name"]),
        (&"shop.<b>&title".into(), &"checkout".into())
    );
    assert_eq!(alerts[0]["status"]["state"], "active");
    alert.state = AlertState::Resolved;
    alert.resolved_at = Some("2026-01-01T00:00:00Z".parse().unwrap());
    let over = Notification {
        alerts: vec![alert],
        group: None,
        ..notification(NotificationKind::Resolved, 0)
    };
    send(&channel, &over).unwrap();
    assert_eq!(manager.alerts(), Vec::<Value>::new(), "it is over there too");
}

/// `aiosmtpd` on a free port: takes mail and writes it to a file, or refuses it for good.
#[cfg(feature = "smtp")]
mod mail {
    use super::*;
    use crate::delivery::{AT_ONCE, LONG};
    use crate::scene::FixedClock;
    use std::sync::Arc;
    use telemetry_alerting::{AlertBook, AlertMonitor, EmailConfig, EmailTls, couriers};
    use telemetry_interfaces::{Document, EventConsumer, MemoryState, StateStore};

    const SERVER: &str = "
import sys, time
from aiosmtpd.controller import Controller
class Handler:
    async def handle_DATA(self, server, session, envelope):
        text = envelope.content.decode()
        if 'to: nobody@' in text.lower():
            return '550 there is no such mailbox'
        print(text.replace(chr(13) + chr(10), chr(30)), flush=True)
        return '250 taken'
controller = Controller(Handler(), hostname='127.0.0.1', port=int(sys.argv[1]))
controller.start()
print('ready', flush=True)
sys.stdin.read()
";

    struct Server {
        child: Child,
        lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
        port: u16,
    }

    impl Server {
        fn start() -> Option<Self> {
            use std::io::BufRead;
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = Command::new("python3")
                .args(["-c", SERVER, &port.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
            if lines.next().and_then(Result::ok).as_deref() == Some("ready") {
                return Some(Self { child, lines, port });
            }
            let _ = child.wait();
            assert!(std::env::var("CI").is_err(), "python3 with aiosmtpd is not here");
            eprintln!("skipped: python3 with aiosmtpd is not here");
            None
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn channel(port: u16, to: &str) -> Channel {
        channels(&config(port, to)).unwrap().remove(0)
    }

    fn config(port: u16, to: &str) -> AlertingConfig {
        let email = EmailConfig {
            name: "mail".into(),
            server: "127.0.0.1".into(),
            port,
            tls: EmailTls::None,
            user: None,
            password: None,
            from: "telemetry@example.com".into(),
            to: vec![to.into()],
            timeout: Duration::from_secs(10),
            min_severity: Severity::Low,
        };
        let channels_of = ChannelsConfig { email: vec![email], ..ChannelsConfig::default() };
        let config = AlertingConfig { log: false, channels: channels_of, ..Default::default() };
        config.validate().unwrap();
        config
    }

    #[test]
    fn an_unreachable_mail_server_is_named_and_worth_another_try() {
        // Nobody listens on the port of tcpmux.
        let firing = notification(NotificationKind::Firing, 1);
        let error = send(&channel(1, "ops@example.com"), &firing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("mail"), "{error}");
    }

    #[test]
    fn a_document_is_mailed_as_an_attachment() {
        let Some(mut server) = Server::start() else { return };
        let config = config(server.port, "ops@example.com");
        let document = Document {
            key: "report-weekly-1".into(),
            title: "weekly: all is well".into(),
            summary: "all is well".into(),
            file_name: "weekly-20261125T070000Z.html".into(),
            media_type: "text/html; charset=utf-8".into(),
            text: "<p>prix à débattre</p>".into(),
        };
        let couriers = couriers(&config, &["mail".into()]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let receipt = runtime.block_on(couriers[0].deliver(&document)).unwrap();
        assert!(receipt.answer.contains("250"), "{}", receipt.answer);
        let mail = server.lines.next().unwrap().unwrap();
        assert!(mail.contains("Message-ID: <report-weekly-1@selector-telemetry>"), "{mail}");
        assert!(mail.contains("filename=\"weekly-20261125T070000Z.html\""), "{mail}");
        let unknown = telemetry_alerting::couriers(&config, &["nobody".into()]).err().unwrap();
        assert!(unknown.to_string().contains("mail"), "{unknown}");
    }

    #[test]
    fn a_real_mail_server_takes_a_mail_or_refuses_it() {
        let Some(mut server) = Server::start() else { return };
        let firing = notification(NotificationKind::Firing, 2);
        let receipt = send(&channel(server.port, "Ops <ops@example.com>"), &firing).unwrap();
        assert!(receipt.answer.contains("250"), "{}", receipt.answer);
        let mail = server.lines.next().unwrap().unwrap();
        assert!(mail.contains("Message-ID: <key-1@selector-telemetry>"), "{mail}");
        assert!(mail.contains("Subject: [") && mail.contains("telemetry alerts show"), "{mail}");
        let refused = send(&channel(server.port, "nobody@example.com"), &firing).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
    }

    #[test]
    fn an_unreachable_mail_server_leaves_the_other_channels_alone() {
        let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
        let heard = std::env::temp_dir().join(format!("telemetry-heard-{}", std::process::id()));
        let mut config = config(1, "ops@example.com");
        let copy = "cat > \"$0.part\" && mv \"$0.part\" \"$0\"";
        config.channels.command = vec![CommandConfig {
            name: "beside".into(),
            program: "sh".into(),
            arguments: vec!["-c".into(), copy.into(), heard.to_string_lossy().into_owned()],
            timeout: Duration::from_secs(10),
            min_severity: Severity::Low,
        }];
        let mut monitor =
            AlertMonitor::builder(default_engine(), Arc::clone(&state), Arc::new(FixedClock))
                .channels(channels(&config).unwrap())
                .retry(AT_ONCE)
                .start()
                .unwrap();
        let mut visits = Visits::of("shop.title");
        let told = |kind: &str| {
            let text = std::fs::read_to_string(&heard).unwrap_or_default();
            text.contains("shop.title") && text.contains(kind)
        };
        monitor.consume(&breaking(&mut visits));
        let limit = std::time::Instant::now() + LONG;
        while !told("\"kind\":\"firing\"") {
            assert!(std::time::Instant::now() < limit, "the other channel is not told");
            std::thread::yield_now();
        }
        let good: Vec<_> = (0..10).map(|_| visits.found()).collect();
        monitor.consume(&good);
        monitor.finish(at(100), LONG);
        assert!(told("\"kind\":\"resolved\""), "it goes on after the first failure");
        std::fs::remove_file(&heard).unwrap();
        assert_eq!(monitor.delivered(), (2, 2));
        let dead = AlertBook::new(state).dead_letters().unwrap();
        assert!(dead.iter().all(|it| it.channel == "mail" && it.tries == Some(3)), "{dead:?}");
        assert!(dead[0].error.as_ref().unwrap().contains("channel: mail"), "{:?}", dead[0].error);
    }
}

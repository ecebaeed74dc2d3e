//! What each service wants to be posted, by its documentation.

use super::text::{cut, lines, title, worst};
use serde_json::{Value, json};
use telemetry_interfaces::{Notification, NotificationKind};
use telemetry_models::{Alert, Severity, Timestamp};

const RED: u32 = 0x00d0_021b;
const ORANGE: u32 = 0x00f5_a623;
const GREEN: u32 = 0x0041_7505;

fn colour(notification: &Notification) -> u32 {
    match (notification.kind, worst(notification)) {
        (NotificationKind::Resolved, _) => GREEN,
        (_, Some(Severity::High | Severity::Critical)) => RED,
        _ => ORANGE,
    }
}

/// Slack and Mattermost: an incoming webhook's message with blocks
/// (<https://docs.slack.dev/reference/block-kit/blocks>): a header of at most 150 characters, a
/// section of at most 3,000.
pub(crate) fn slack(notification: &Notification) -> Value {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let title = title(notification);
    let body = cut(&escape(&lines(notification, 2400).join("\u{2028}")), 2900);
    let body = body.replace('\u{2028}', "\n");
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": cut(&title, 150), "emoji": false},
    })];
    if !body.is_empty() {
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": body}}));
    }
    json!({"text": escape(&title), "blocks": blocks})
}

/// Teams: an Adaptive Card 1.4 in a message, as the Workflows webhook takes it
/// (<https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).
pub(crate) fn teams(notification: &Notification) -> Value {
    let style = match colour(notification) {
        GREEN => "Good",
        RED => "Attention",
        _ => "Warning",
    };
    let mut body = vec![json!({
        "type": "TextBlock", "text": title(notification), "weight": "Bolder", "wrap": true, "color": style,
    })];
    let texts = lines(notification, 20_000);
    body.extend(texts.iter().map(|text| json!({"type": "TextBlock", "text": text, "wrap": true})));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": body,
            },
        }],
    })
}

/// Discord: a webhook's message with one embed
/// (<https://docs.discord.com/developers/resources/webhook#execute-webhook>): a title of at most 256
/// characters, a description of at most 4,096; nobody is mentioned.
pub(crate) fn discord(notification: &Notification) -> Value {
    json!({
        "username": "selector telemetry",
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": title(notification),
            "description": lines(notification, 3800).join("\n"),
            "color": colour(notification),
            "timestamp": notification.at.to_string(),
        }],
    })
}

/// Telegram: `sendMessage` (<https://core.telegram.org/bots/api#sendmessage>) with at most 4,096
/// characters, without markup, so that nothing in a page's text is taken for some.
pub(crate) fn telegram(notification: &Notification, chat: &str) -> Value {
    let text = format!("{}\n{}", title(notification), lines(notification, 3700).join("\n"));
    json!({
        "chat_id": chat,
        "text": text.trim_end(),
        "link_preview_options": {"is_disabled": true},
        "disable_notification": notification.kind == NotificationKind::Resolved,
    })
}

/// PagerDuty Events v2 (<https://developer.pagerduty.com/docs/send-alert-event>): one incident for a
/// group, resolved when its last alert is.
pub(crate) fn pagerduty(notification: &Notification, routing_key: &str) -> Value {
    let (group, open) = match (&notification.group, &notification.alerts[..]) {
        (Some(group), _) => (group.id.clone(), group.open),
        (None, [first, ..]) => (first.id.to_string(), 0),
        (None, []) => (notification.key.clone(), 0),
    };
    let over = notification.kind == NotificationKind::Resolved && open == 0;
    if over {
        return json!({
            "routing_key": routing_key, "event_action": "resolve", "dedup_key": cut(&group, 255),
        });
    }
    let severity = match worst(notification) {
        Some(Severity::Critical) => "critical",
        Some(Severity::High) => "error",
        Some(Severity::Medium) => "warning",
        Some(Severity::Low) | None => "info",
    };
    let first = notification.alerts.first();
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": cut(&group, 255),
        "client": "selector telemetry",
        "payload": {
            "summary": cut(&title(notification), 1024),
            "source": first.and_then(|it| it.site.as_deref()).unwrap_or("selector telemetry"),
            "severity": severity,
            "timestamp": notification.at.to_string(),
            "component": first.map(|it| it.selector.as_str()),
            "group": cut(&group, 255),
            "class": first.map(|it| it.signal.as_str()),
            "custom_details": {
                "alerts": lines(notification, 20_000),
                "open": open,
                "key": notification.key,
            },
        },
    })
}

/// Alertmanager v2 `POST /api/v2/alerts` (its `openapi.yaml`): every alert with explicit `endsAt`, in the
/// past for those that are over.
pub(crate) fn alertmanager(notification: &Notification, ends_at: Timestamp) -> Value {
    notification.alerts.iter().map(|alert| alertmanager_alert(alert, ends_at)).collect()
}

fn alertmanager_alert(alert: &Alert, ends_at: Timestamp) -> Value {
    let mut labels = serde_json::Map::new();
    for (key, value) in &alert.labels {
        let key: String = key
            .chars()
            .enumerate()
            .map(|(at, it)| {
                let fits = it == '_' || it.is_ascii_alphabetic() || (at > 0 && it.is_ascii_digit());
                if fits { it } else { '_' }
            })
            .collect();
        if !value.is_empty() {
            labels.insert(key, json!(value));
        }
    }
    for (key, value) in [
        ("alertname", Some(&*alert.rule)),
        ("selector", Some(alert.selector.as_str())),
        ("site", alert.site.as_deref()),
        ("signal", Some(alert.signal.as_str())),
        ("severity", Some(alert.severity.as_str())),
    ] {
        labels.extend(value.map(|value| (key.to_owned(), json!(value))));
    }
    let starts = alert.fired_at.unwrap_or(alert.since);
    // An end before the start is refused, and clocks differ.
    let ends = if alert.state.is_open() {
        ends_at.max(starts.saturating_add(std::time::Duration::from_secs(60)))
    } else {
        alert.resolved_at.unwrap_or(alert.updated_at).max(starts)
    };
    json!({
        "labels": labels,
        "annotations": {
            "summary": alert.summary,
            "cause": alert.likely_cause.as_deref().unwrap_or(""),
            "suggestion": alert.suggestion.as_deref().unwrap_or(""),
            "command": format!("telemetry alerts show {}", alert.id),
        },
        "startsAt": starts.to_string(),
        "endsAt": ends.to_string(),
    })
}

//! What people read: a title and some lines.

use telemetry_interfaces::{Notification, NotificationKind};
use telemetry_models::{Alert, Severity};

/// A title of one line, at most 200 characters.
pub(crate) fn title(notification: &Notification) -> String {
    let word = match notification.kind {
        NotificationKind::Firing => worst(notification).map_or("firing", Severity::as_str),
        NotificationKind::Resolved => "resolved",
        NotificationKind::Test => "test",
        NotificationKind::Digest => "digest",
    };
    let what = match (&notification.group, &notification.alerts[..]) {
        (_, [one]) => one.summary.clone(),
        (Some(group), _) => group.title.clone(),
        (None, many) => format!("{} alerts", many.len()),
    };
    cut(&format!("[{word}] {what}"), 200)
}

/// One line for each alert shown, and what to do about the worst.
pub(crate) fn lines(notification: &Notification, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = notification.alerts.iter().map(line).collect();
    if let Some(worst) = notification.alerts.first() {
        lines.extend(worst.likely_cause.as_ref().map(|cause| format!("likely cause: {cause}")));
        lines.extend(worst.suggestion.as_ref().map(|what| format!("try: {what}")));
        lines.push(format!("more: telemetry alerts show {}", worst.id));
    }
    let shown = notification.alerts.len() as u64;
    if let Some(more) = notification.group.as_ref().and_then(|it| it.count.checked_sub(shown))
        && more > 0
    {
        lines.push(format!("and {more} more: telemetry alerts list"));
    }
    let mut left = limit;
    lines.retain(|line| {
        let fits = line.len() < left;
        left = left.saturating_sub(line.len() + 1);
        fits
    });
    lines
}

fn line(alert: &Alert) -> String {
    let site = alert.site.as_ref().map_or(String::new(), |site| format!(" on {site}"));
    let text = format!("{} {}: {}{site}", alert.severity, alert.state, alert.summary);
    cut(&text, 400)
}

pub(crate) fn worst(notification: &Notification) -> Option<Severity> {
    notification.alerts.iter().map(|alert| alert.severity).max()
}

/// At most so many characters, control characters as spaces.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    let clean = text.chars().map(|it| if it.is_control() { ' ' } else { it });
    if text.chars().count() <= limit {
        return clean.collect();
    }
    clean.take(limit.saturating_sub(1)).chain(['…']).collect()
}

use super::wrap::wrap;
use crate::console::Tone;
use crate::figures::{counted, time};
use crate::plain::plain;
use telemetry_runtime::models::{Alert, Severity, Timestamp};

/// Last characters of an event's id, which tell it from the others of the run.
const SHORT_ID: usize = 6;
/// Short ids shown.
const SHOWN_IDS: usize = 2;

/// An alert that has just fired, as lines with their tone.
pub(crate) fn announce(
    alert: &Alert,
    changed_at: Option<Timestamp>,
    width: usize,
) -> Vec<(Tone, String)> {
    let tone = match alert.severity {
        Severity::Low | Severity::Medium => Tone::Doubtful,
        Severity::High | Severity::Critical => Tone::Bad,
    };
    let when = changed_at.and_then(|changed| {
        let fired = alert.fired_at.filter(|fired| *fired >= changed)?;
        Some(format!(", {:.1} s after the change", fired.since(changed).as_secs_f64()))
    });
    let head = format!("{}{}", alert.selector, when.unwrap_or_default());
    let mut lines = vec![(Tone::Normal, String::new())];
    let mut add = |tone, label: &str, text: &str| {
        lines.extend(wrap(label, &plain(text), width).into_iter().map(|line| (tone, line)));
    };
    add(tone, &format!("ALERT {:<8} ", alert.severity.as_str()), &head);
    let mut fact = |label: &str, text: &str| add(Tone::Normal, &format!("  {label:<12} "), text);
    fact("what", &alert.summary);
    fact("since", &time(alert.since));
    fact(
        "last good",
        &match &alert.last_good {
            Some(good) => {
                format!("{}, {} up to then", time(good.at), counted(good.count, "good operation"))
            }
            None => "never".to_owned(),
        },
    );
    let evidence = &alert.evidence;
    for (label, text) in [
        ("before", evidence.before.as_deref()),
        ("now", evidence.now.as_deref()),
        ("cause", alert.likely_cause.as_deref()),
        ("try", alert.suggestion.as_deref()),
    ] {
        if let Some(text) = text {
            fact(label, text);
        }
    }
    if let Some(newest) = evidence.events.last() {
        let shown = evidence.events.iter().rev().skip(1).take(SHOWN_IDS);
        let mut ids: Vec<String> = shown.map(|id| short(&id.to_string())).collect();
        let left = evidence.events.len().saturating_sub(1 + SHOWN_IDS);
        if left > 0 {
            ids.push(format!("{left} more"));
        }
        ids.insert(0, newest.to_string());
        fact("evidence", &ids.join(", "));
    }
    lines
}

fn short(id: &str) -> String {
    match id.char_indices().rev().nth(SHORT_ID - 1) {
        Some((at, _)) if at > 0 => format!("…{}", &id[at..]),
        _ => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::announce;
    use crate::demo::judge::tests::alert;
    use expect_test::expect;
    use telemetry_runtime::models::{EventId, Evidence, LastGood, Signal};
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn an_alert_answers_every_question() {
        let at = |text: &str| text.parse().unwrap();
        let mut alert = alert("shop.product.stock", Signal::ErrorRate, 10_400);
        alert.summary =
            "shop.product.stock matches nothing: 4 of the last 4 operations (last good \
                         22:13:29Z, 101 good before)"
                .into();
        alert.since = at("2023-11-14T22:13:30.02Z");
        alert.last_good = Some(LastGood {
            at: at("2023-11-14T22:13:29.95Z"),
            event: EventId::from_u128(1),
            value: Some(0.0),
            count: 101,
        });
        alert.evidence = Evidence {
            events: (0..6).map(|n| EventId::from_u128(0x1234_5678_9abc_def0 << 64 | n)).collect(),
            url: None,
            before: Some("css .stock-badge won".into()),
            now: Some(
                "css .stock-badge: empty; xpath //p[@id='availability']: empty\x1b[2J".into(),
            ),
        };
        alert.suggestion = Some("open the page".into());
        let lines = announce(&alert, Some(at("2023-11-14T22:13:30Z")), 80);
        let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
        assert!(lines.iter().all(|line| line.width() <= 80));
        expect![[r#"

            ALERT high     shop.product.stock, 0.4 s after the change
              what         shop.product.stock matches nothing: 4 of the last 4 operations
                           (last good 22:13:29Z, 101 good before)
              since        2023-11-14T22:13:30.020Z
              last good    2023-11-14T22:13:29.950Z, 101 good operations up to then
              before       css .stock-badge won
              now          css .stock-badge: empty; xpath //p[@id='availability']:
                           empty\u{1b}[2J
              try          open the page
              evidence     12345678-9abc-def0-0000-000000000005, …000004, …000003, 3 more"#]]
        .assert_eq(&lines.join("\n"));
    }
}

//! Selectors that depend on what changes often: positions, generated classes.

use super::Subject;
use crate::rows::{rate, site_name, strategy_text};
use crate::text::{self, count, percent};
use telemetry_aggregation::{StrategyKey, StrategySummary};
use telemetry_models::report::{Effort, Recommendation, RecommendationKind};

/// Fewest tries, and the least share of them without a match, that speak for a rewrite.
const MIN_TRIES: u64 = 20;
const MIN_BROKEN: f64 = 0.05;

pub(super) fn card(subject: &Subject<'_>) -> Option<Recommendation> {
    let summary = &subject.row.summary;
    let mut worst: Option<(f64, &StrategyKey, &StrategySummary, &str)> = None;
    for (key, it) in summary.strategies.iter() {
        let Some(selector) = key.1.as_deref() else { continue };
        let Some(reason) = brittle(selector) else { continue };
        let broken = it.empty as f64 / it.tried.max(1) as f64;
        let worse = worst.as_ref().is_none_or(|(most, ..)| broken > *most);
        if it.tried >= MIN_TRIES && broken >= MIN_BROKEN && worse {
            worst = Some((broken, key, it, reason));
        }
    }
    let (broken, key, it, reason) = worst?;
    let better = summary
        .strategies
        .iter()
        .filter(|(other, of)| *other != key && of.accepted > 0)
        .filter(|((_, text), _)| text.as_deref().is_none_or(|it| brittle(it).is_none()))
        .max_by_key(|(_, of)| of.accepted)
        .map(|(other, _)| other);
    let was = strategy_text(key);
    let text = was.text.unwrap_or_default();
    let hint = better.map_or_else(
        || {
            "what a reader of the page would name it by: a label, a role, a text, a test id"
                .to_owned()
        },
        |(kind, text)| format!("{kind} {}, which finds it", text.as_deref().unwrap_or("")),
    );
    Some(Recommendation {
        kind: RecommendationKind::RewriteSelector,
        selector: subject.selector.clone(),
        site: site_name(subject.site),
        change: format!("Rewrite {} {text}: {reason}.", was.kind),
        why: format!(
            "It matched nothing in {} of {} tries.",
            percent(broken),
            text::count(it.tried)
        ),
        saving_ms_per_day: None,
        saving_share: None,
        coverage: rate(it.empty, it.tried),
        n: it.tried,
        success_effect: None,
        effort: Effort::Medium,
        evidence: subject.row.course.recent_fallbacks.iter().take(3).cloned().collect(),
        diff: vec![format!("- {} {text}", was.kind), format!("+ {hint}")],
        undo: format!("Put {} {text} back; {} tries are on record.", was.kind, count(it.tried)),
        order: Vec::new(),
    })
}

/// Why a selector's text breaks easily, if it does.
pub(crate) fn brittle(text: &str) -> Option<&'static str> {
    let positions = text.matches(":nth-").count() + bracketed_numbers(text);
    if positions >= 2 {
        return Some("it counts positions, which move when anything is added to the page");
    }
    if text.starts_with("/html/") || text.matches(" > ").count() >= 4 {
        return Some("it follows the whole way from the top, which any new box breaks");
    }
    let generated = text
        .split(|symbol: char| !(symbol.is_ascii_alphanumeric() || symbol == '-' || symbol == '_'))
        .any(is_generated);
    generated.then_some("it names a generated class, which the next build of the site renames")
}

/// `[3]`, as in XPath.
fn bracketed_numbers(text: &str) -> usize {
    let inside = text.split('[').skip(1).filter_map(|it| it.split(']').next());
    inside.filter(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit())).count()
}

/// `css-1q2w3e`, `sc-bdVaJa`, `_3xY9zK`: a known prefix, or a part that mixes digits into letters
/// as nobody writes them.
fn is_generated(word: &str) -> bool {
    let tail = word.rsplit(['-', '_']).next().unwrap_or(word);
    let letters = tail.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = tail.bytes().filter(u8::is_ascii_digit).count();
    let known = ["css-", "sc-", "jss", "emotion-"].iter().any(|it| word.starts_with(it));
    let switches =
        tail.as_bytes().windows(2).filter(|it| it[0].is_ascii_digit() != it[1].is_ascii_digit());
    let mixed = letters >= 2 && digits >= 2 && switches.count() >= 2;
    tail.len() >= 5 && ((known && digits + letters == tail.len()) || mixed)
}

#[cfg(test)]
mod tests {
    use super::brittle;

    #[test]
    fn what_breaks_easily() {
        for text in [
            "div:nth-child(2) > span:nth-child(4)",
            "/html/body/div/span",
            "//div[3]/ul/li[2]",
            ".css-1q2w3e4 span",
            ".sc-bdVaJa",
            "._3xY9zK",
        ] {
            assert!(brittle(text).is_some(), "{text}");
        }
        for text in [
            "span.price",
            "#stock",
            "[data-testid=price]",
            "//h1",
            ".col-md-6",
            "Sold by",
            ".h264-player",
        ] {
            assert_eq!(brittle(text), None, "{text}");
        }
    }
}

//! What a detector found, in words.

use telemetry_detection::{Change, Peers, Scope, Watched};
use telemetry_models::SelectorName;

/// Id of the rule that alerts about it bear.
pub(super) fn rule(watched: Watched) -> String {
    format!("detected-{}", watched.name())
}

/// What used to be.
pub(super) fn usual(watched: Watched, change: Change) -> String {
    if watched == Watched::NeverWorked {
        return "never worked".into();
    }
    format!("{} usual", quantity(watched, change.before))
}

/// One sentence: what happened.
pub(super) fn summary(
    selector: &SelectorName,
    watched: Watched,
    change: Change,
    gained: Option<usize>,
) -> String {
    let (usual, now) = (quantity(watched, change.before), quantity(watched, change.now));
    let learned = format!("{usual} usual, learned from {}", change.learned);
    let bad = (change.now * change.samples as f64).round();
    let of = format!("{bad} of {} operations since the change ({learned})", change.samples);
    let changed = |what: &str| {
        format!(
            "{selector} {what}: {now} over {} operations since the change ({learned})",
            change.samples
        )
    };
    match watched {
        Watched::Errors if change.now >= 0.9 && change.before < 0.5 => {
            format!("{selector} stopped working: {of}")
        }
        Watched::Errors => format!("{selector} fails: {of}"),
        Watched::ZeroMatches => format!("{selector} matches nothing: {of}"),
        Watched::Timeouts => format!("{selector} times out: {of}"),
        Watched::ValidationFailures => format!("{selector} finds something wrong: {of}"),
        Watched::Fallbacks => format!("{selector} needs a fallback: {of}"),
        Watched::EnvironmentFaults => format!("{selector} is not reached: {of}"),
        Watched::Duration if change.now < change.before * 1.1 => {
            changed("takes very different times")
        }
        Watched::Duration => changed("takes longer"),
        Watched::Confidence => changed("is found with less confidence"),
        Watched::Calibration => format!(
            "the confidence of {selector} no longer means anything: {now} of what it found turned out \
             right over {} results since the change, where its confidence used to mean {usual} \
             (learned from {})",
            change.samples, change.learned
        ),
        Watched::Matches => changed("matches another number of elements"),
        Watched::StrategyMix => {
            let which = gained.map_or(0, |gained| gained + 1);
            format!("{selector} is found by strategy {which} more often: {of}")
        }
        Watched::Silence => format!("{selector} is not called any more ({learned} calls)"),
        Watched::Burst => {
            format!(
                "{selector} is called far more often: {now} over {} calls ({usual} usual)",
                change.samples
            )
        }
        Watched::NeverWorked => {
            format!(
                "{selector} never worked: all of its first {} operations failed",
                change.samples
            )
        }
    }
}

/// Where the cause lies, with the evidence.
pub(super) fn scope(
    scope: Scope,
    site: &str,
    page: Peers,
    elsewhere: Peers,
    unreached: Peers,
) -> String {
    match scope {
        Scope::Environment if unreached.failing > 0 => format!(
            "{} of the {} other selectors of {site} are not reached either: the site is blocked or \
             down, the selector was not put to the test",
            unreached.failing, unreached.all
        ),
        Scope::Environment => format!(
            "operations on {site} fail before the selector is put to the test: blocked, down, or the \
             browser's trouble"
        ),
        Scope::Page => format!(
            "{} of the {} other selectors of the page fail too: it was probably redesigned",
            page.failing, page.all
        ),
        Scope::Site => {
            let (failing, all) = (page.failing + elsewhere.failing, page.all + elsewhere.all);
            format!(
                "{failing} of the {all} other selectors of {site} fail too, on all its pages: another \
                 page is served, or all were redesigned"
            )
        }
        Scope::Selector => {
            let (failing, all) = (page.failing + elsewhere.failing, page.all + elsewhere.all);
            format!(
                "{} of the {all} other selectors of {site} still work: this one's element changed",
                all - failing
            )
        }
    }
}

fn quantity(watched: Watched, value: f64) -> String {
    match watched {
        Watched::Duration => format!("{value:.0} ms"),
        Watched::Confidence => format!("{value:.3}"),
        Watched::Matches => format!("{value:.1} elements"),
        Watched::Silence | Watched::Burst => format!("{value:.3} calls a second"),
        _ => format!("{:.1} %", value * 100.0),
    }
}

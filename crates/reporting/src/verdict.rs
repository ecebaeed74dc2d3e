//! The answer in one sentence.

use crate::text::{count, counted, percent};
use telemetry_models::report::{Finding, FindingKind, Health, Totals, Verdict, VerdictLevel};

/// Every kind, in the order it is told, with its words for one and for many.
const KINDS: &[(FindingKind, &str, &str)] = &[
    (FindingKind::StoppedWorking, "stopped working", "stopped working"),
    (FindingKind::NeverWorked, "never worked", "never worked"),
    (FindingKind::SucceedsLess, "succeeds less often", "succeed less often"),
    (FindingKind::Unreliable, "fails often", "fail often"),
    (FindingKind::FallbackTookOver, "depends on a fallback", "depend on a fallback"),
    (FindingKind::ConfidenceFell, "lost confidence", "lost confidence"),
    (FindingKind::Slowed, "slowed", "slowed"),
    (FindingKind::SiteTrouble, "has site trouble", "have site trouble"),
    (FindingKind::Alert, "has an open alert", "have an open alert"),
];

/// What to call a kind of finding.
pub(crate) fn kind_words(kind: FindingKind) -> &'static str {
    KINDS.iter().find(|(of, ..)| *of == kind).map_or("needs attention", |(_, one, _)| one)
}

/// `findings` are all findings; `health` that of every row.
pub(crate) fn verdict(totals: &Totals, findings: &[Finding], health: &[Health]) -> Verdict {
    let judged = health.iter().filter(|it| **it != Health::NoData).count();
    let failing = health.contains(&Health::Failing);
    let level = match () {
        () if failing => VerdictLevel::Failing,
        () if !findings.is_empty() => VerdictLevel::Attention,
        () if judged == 0 => VerdictLevel::NoData,
        () => VerdictLevel::Healthy,
    };
    let sentence = match level {
        VerdictLevel::NoData => no_data(totals),
        VerdictLevel::Healthy => healthy(totals, judged),
        VerdictLevel::Failing | VerdictLevel::Attention => troubled(totals, findings),
    };
    Verdict { level, sentence }
}

fn no_data(totals: &Totals) -> String {
    let verdicts = totals.success + totals.selector_fault;
    if totals.operations == 0 {
        "No data: no operation matches in this period.".into()
    } else if verdicts == 0 {
        format!("No data: none of {} tested a selector.", counted(totals.operations, "operation"))
    } else {
        format!(
            "No data to judge by: only {} tested a selector, too few for any of them.",
            counted(verdicts, "operation")
        )
    }
}

fn healthy(totals: &Totals, judged: usize) -> String {
    let judged = judged as u64;
    let rate = totals.success_rate.map(|rate| {
        format!(": {} of {} succeeded", percent(rate.share), counted(rate.n, "operation"))
    });
    let unjudged = totals.selectors.saturating_sub(judged);
    let few = if unjudged == 0 {
        String::new()
    } else {
        format!("; {} had too few operations to tell", count(unjudged))
    };
    let work = if judged == 1 { "works" } else { "work" };
    format!("{} {work}{}{few}.", counted(judged, "selector"), rate.unwrap_or_default())
}

fn troubled(totals: &Totals, findings: &[Finding]) -> String {
    let mut selectors: Vec<_> = findings.iter().filter_map(|it| it.selector.as_ref()).collect();
    selectors.sort();
    selectors.dedup();
    let sites = findings.iter().filter(|it| it.selector.is_none()).count() as u64;
    let parts: Vec<String> = KINDS
        .iter()
        .filter(|(kind, ..)| *kind != FindingKind::SiteTrouble)
        .filter_map(|(kind, one, many)| {
            let found = findings.iter().filter(|it| it.kind == *kind).count() as u64;
            (found > 0).then(|| format!("{} {}", count(found), if found == 1 { one } else { many }))
        })
        .collect();
    let mut sentence = String::new();
    if !selectors.is_empty() {
        let troubled = selectors.len() as u64;
        let need = if troubled == 1 { "needs" } else { "need" };
        sentence = format!(
            "{} of {} {need} attention: {}.",
            count(troubled),
            counted(totals.selectors.max(troubled), "selector"),
            parts.join(", ")
        );
    }
    if sites > 0 {
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        let spoil = if sites == 1 { "spoils" } else { "spoil" };
        sentence.push_str(&format!("{} {spoil} many operations.", counted(sites, "site")));
    }
    sentence
}

use super::case::{Case, INTERVAL, STEPS, State};
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use telemetry_runtime::models::Aggregate;

/// Lines of promtool's answer that are shown.
const SHOWN: usize = 30;

/// Writes the cases as Prometheus rules and the states as expectations; promtool's answer when it
/// disagrees.
///
/// # Errors
/// When files cannot be written or promtool cannot be run.
pub(super) fn differs(
    folder: &Path,
    cases: &[Case],
    states: &[Vec<State>],
) -> Result<Option<String>> {
    std::fs::write(folder.join("rules.yml"), rules(cases)?)?;
    let tests = folder.join("tests.yml");
    std::fs::write(&tests, expectations(cases, states)?)?;
    let answer = Command::new("promtool")
        .args(["test", "rules"])
        .arg(&tests)
        .output()
        .context("cannot run promtool")?;
    if answer.status.success() {
        return Ok(None);
    }
    let text = [answer.stdout, answer.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    Ok(Some(text.lines().take(SHOWN).collect::<Vec<_>>().join("\n")))
}

fn rules(cases: &[Case]) -> Result<String> {
    let mut text =
        format!("groups:\n- name: cases\n  interval: {}s\n  rules:\n", INTERVAL.as_secs());
    for (at, case) in cases.iter().enumerate() {
        writeln!(text, "  - alert: c{at}")?;
        writeln!(text, "    expr: {} {} {}", value(at, case), case.comparison, case.fire_at)?;
        writeln!(text, "    for: {}s", case.hold.as_secs())?;
        writeln!(text, "    keep_firing_for: {}s", case.keep.as_secs())?;
    }
    Ok(text)
}

/// Ranges are closed on the left in Prometheus 2 and open in ours, hence the millisecond.
fn value(at: usize, case: &Case) -> String {
    let Some((aggregate, steps)) = case.window else { return format!("m{at}") };
    let range = format!("m{at}[{}ms]", INTERVAL.as_millis() * steps as u128 - 1);
    match aggregate {
        Aggregate::Min => format!("min_over_time({range})"),
        Aggregate::Max => format!("max_over_time({range})"),
        _ => format!("sum_over_time({range}) / count_over_time({range})"),
    }
}

fn expectations(cases: &[Case], states: &[Vec<State>]) -> Result<String> {
    let seconds = INTERVAL.as_secs();
    let mut text = format!(
        "rule_files: [rules.yml]\nevaluation_interval: {seconds}s\ntests:\n- interval: {seconds}s\n  \
         input_series:\n"
    );
    for (at, case) in cases.iter().enumerate() {
        let shown = |value: &Option<f64>| value.map_or("_".to_owned(), |it| it.to_string());
        let values: Vec<_> = case.values.iter().map(shown).collect();
        writeln!(text, "  - series: m{at}\n    values: '{}'", values.join(" "))?;
    }
    text += "  promql_expr_test:\n";
    for step in 0..STEPS {
        writeln!(text, "  - expr: ALERTS\n    eval_time: {}s", seconds * step as u64)?;
        let mut samples = String::new();
        for (at, states) in states.iter().enumerate() {
            let state = match states[step] {
                State::None => continue,
                State::Pending => "pending",
                State::Firing | State::Kept => "firing",
            };
            writeln!(
                samples,
                "    - {{labels: 'ALERTS{{alertname=\"c{at}\",alertstate=\"{state}\"}}', value: 1}}"
            )?;
        }
        match samples.is_empty() {
            true => text += "    exp_samples: []\n",
            false => write!(text, "    exp_samples:\n{samples}")?,
        }
    }
    Ok(text)
}

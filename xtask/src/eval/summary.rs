use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;

/// The figures of one evaluation of the drift corpus.
#[derive(Serialize)]
pub(crate) struct Summary {
    /// Visits of each page.
    pub(crate) visits: u32,
    /// Operations the engine executed, by its own notebook.
    pub(crate) executed: usize,
    /// Operations the collector counted.
    pub(crate) recorded: u64,
    /// Events the store acknowledged.
    pub(crate) stored: u64,
    /// Events read from the store after it was closed and opened again.
    pub(crate) read_back: usize,
    /// Events that differ from what was executed, in any field.
    pub(crate) differences: usize,
    /// Whether a deep verification of the store found no damage.
    pub(crate) verify_clean: bool,
    pub(crate) labels: Vec<LabelFigures>,
    /// Applying rows and all rows, by kind.
    pub(crate) applying: BTreeMap<String, (usize, usize)>,
    /// Rows that do not apply, by kind and reason.
    pub(crate) not_applying: BTreeMap<String, usize>,
    /// Alerts that fired, by rule.
    pub(crate) alerts_by_rule: BTreeMap<String, usize>,
    /// Pairs whose redesign was told from the drift of one selector, and all pairs with either.
    pub(crate) told_apart: (usize, usize),
    /// Seconds from the first page to the last figure.
    pub(crate) wall_s: f64,
}

/// What was raised for the rows of one label.
#[derive(Serialize)]
pub(crate) struct LabelFigures {
    pub(crate) label: &'static str,
    /// Rows of the corpus.
    pub(crate) rows: usize,
    /// Rows whose selector the engine finds on the old page.
    pub(crate) applying: usize,
    /// Applying rows for which any alert fired.
    pub(crate) alerted: usize,
    /// Alerts that fired while the page was still the old one.
    pub(crate) before_the_change: usize,
    /// Operations on the new page up to and including the one that fired, in ascending order.
    pub(crate) operations_to_alert: Vec<usize>,
    /// Ids of the applying rows that alerted.
    pub(crate) alerting: Vec<String>,
    /// Ids of the applying rows that did not.
    pub(crate) silent: Vec<String>,
}

impl LabelFigures {
    pub(crate) fn new(label: &'static str) -> Self {
        Self {
            label,
            rows: 0,
            applying: 0,
            alerted: 0,
            before_the_change: 0,
            operations_to_alert: Vec::new(),
            alerting: Vec::new(),
            silent: Vec::new(),
        }
    }
}

impl Summary {
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let same = if self.differences == 0 { "equal field by field" } else { "DIFFERENT" };
        println!("operations executed  {:>8}", self.executed);
        println!("events stored        {:>8}", self.stored);
        println!("events read back     {:>8}   {same}", self.read_back);
        println!("store verify (deep)  {:>8}", if self.verify_clean { "clean" } else { "DAMAGED" });
        println!("\nlabel    rows  applying  alerted   share   operations to alert (median, max)");
        for label in &self.labels {
            let delay = match (
                label.operations_to_alert.get(label.operations_to_alert.len() / 2),
                label.operations_to_alert.last(),
            ) {
                (Some(median), Some(max)) => format!("{median}, {max}"),
                _ => "-".into(),
            };
            println!(
                "{:<8} {:>4}  {:>8}  {:>7}  {:>5.1} %  {delay}{}",
                label.label,
                label.rows,
                label.applying,
                label.alerted,
                100.0 * label.alerted as f64 / label.applying.max(1) as f64,
                match label.before_the_change {
                    0 => String::new(),
                    early => format!("   {early} BEFORE THE CHANGE"),
                }
            );
        }
        println!();
        for (kind, (applying, all)) in &self.applying {
            let share = 100.0 * *applying as f64 / (*all).max(1) as f64;
            println!("{kind}: {applying} of {all} rows apply ({share:.1} %)");
        }
        for (reason, rows) in &self.not_applying {
            println!("  does not apply, {reason}: {rows}");
        }
        for (rule, alerts) in &self.alerts_by_rule {
            println!("alerts of rule {rule}: {alerts}");
        }
        let (right, all) = self.told_apart;
        println!("redesigned pages told from single selectors: {right} of {all} pairs");
        println!("\n{} visits of each page, {:.1} s", self.visits, self.wall_s);
        Ok(())
    }
}

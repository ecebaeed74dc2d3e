use super::figures::Figures;
use super::{
    Bench, alerting, concurrent, delivery, detection, opening, overhead, record, report, rollup,
    store,
};
use crate::workspace::Workspace;
use anyhow::Result;
use std::process::ExitCode;

/// Exit code 0 when every bar holds, 1 when one is missed.
pub(super) fn run(workspace: &Workspace, bench: &Bench) -> Result<ExitCode> {
    let (figures, json): (Figures, bool) = match bench {
        Bench::Record(options) => (record::run()?, options.json),
        Bench::Overhead(options) => (overhead::run(workspace)?, options.json),
        Bench::Concurrent(options) => (concurrent::run()?, options.json),
        Bench::Rollup(options) => (rollup::run()?, options.json),
        Bench::Store(options) => (store::run(options.large)?, options.json),
        Bench::Opening(options) => (opening::run()?, options.json),
        Bench::Alerting(options) => (alerting::run()?, options.json),
        Bench::Detection(options) => (detection::run()?, options.json),
        Bench::Delivery(options) => (delivery::run()?, options.json),
        Bench::Report(options) => (report::run()?, options.json),
        Bench::RecordChild => {
            record::child()?;
            return Ok(ExitCode::SUCCESS);
        }
        Bench::ReportChild(child) => {
            report::child(child)?;
            return Ok(ExitCode::SUCCESS);
        }
        Bench::OpeningChild(child) => {
            opening::in_child(child)?;
            return Ok(ExitCode::SUCCESS);
        }
        Bench::Storm(arguments) => {
            delivery::storm(arguments)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        figures.print();
    }
    Ok(if figures.all_hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

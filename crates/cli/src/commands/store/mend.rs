//! `telemetry store quarantine` and `telemetry store rebuild`.

use super::print_damage;
use crate::arguments::Global;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::plain::plain;
use crate::progress::Progress;
use crate::settings::Settings;
use telemetry_runtime::interfaces::{QuarantineReport, Quarantined};
use telemetry_runtime::storage::{Backend, StorageConfig, open, rebuild as rebuild_store};

pub(super) fn quarantine(settings: &Settings, global: &Global, console: &mut Console) -> Outcome {
    // Looked at first, so that nothing is made where no store is.
    let backend = match settings.open_store()?.backend() {
        "json" => Backend::Json,
        _ => Backend::Segment,
    };
    let storage =
        StorageConfig { backend, compact_in_background: false, ..settings.config.storage.clone() };
    let store = open(&storage)?;
    let report = {
        let progress = Progress::bytes("checking");
        store.quarantine(&mut |done, all| progress.at(done, all))?
    };
    store.close()?;
    if global.json {
        console.json(&report)?;
    } else {
        print(&report, console)?;
    }
    Ok(Exit::fine_if(report.files.iter().all(|it| it.lost == Some(0))))
}

fn print(report: &QuarantineReport, console: &mut Console) -> std::io::Result<()> {
    let Some(folder) = &report.folder else {
        return console.line("nothing is damaged");
    };
    for Quarantined { file, moved_to, damage, kept, lost } in &report.files {
        for place in damage {
            print_damage(place, console)?;
        }
        let kept = figures::counted(*kept, "event");
        let lost = match lost {
            Some(lost) => format!("{} lost", figures::counted(*lost, "event")),
            None => "how many are lost is not known".into(),
        };
        let now = match moved_to {
            Some(moved_to) => format!("now {}", plain(moved_to)),
            None => "missing".into(),
        };
        console.line(format_args!("{}: {kept} kept, {lost}; {now}", plain(file)))?;
    }
    let files = figures::counted(report.files.len() as u64, "file");
    console.line(format_args!("{files} taken out of use; see {}/report.json", plain(folder)))
}

pub(super) fn rebuild(settings: &Settings, global: &Global, console: &mut Console) -> Outcome {
    let report = {
        let progress = Progress::bytes("reading");
        rebuild_store(settings.store_path(), &mut |done, all| progress.at(done, all))?
    };
    if global.json {
        console.json(&report)?;
        return Ok(Exit::fine_if(report.damage.is_empty()));
    }
    for damage in &report.damage {
        print_damage(damage, console)?;
    }
    for file in &report.replaced {
        console.line(format_args!("{}: another file holds the same", plain(file)))?;
    }
    if let Some(days) = report.rollup_days {
        let days = figures::counted(days, "day");
        console.line(format_args!("manifest of the rollups made anew: {days}"))?;
    }
    if let Some(kept) = &report.kept {
        console.line(format_args!("the manifest as it was: {}", plain(kept)))?;
    }
    console.line(format_args!(
        "manifest of the {} store made anew: {} with {}, {}",
        report.backend,
        figures::counted(report.files, "sealed file"),
        figures::counted(report.events, "event"),
        figures::bytes(report.bytes),
    ))?;
    Ok(Exit::fine_if(report.damage.is_empty()))
}

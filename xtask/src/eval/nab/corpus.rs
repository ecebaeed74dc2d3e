use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use telemetry_models::Timestamp;

/// A series with its labelled windows.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) stamps: Vec<String>,
    /// Since 1970; stamps are taken as UTC.
    pub(super) seconds: Vec<i64>,
    pub(super) values: Vec<f64>,
    /// First and last row of each window.
    pub(super) windows: Vec<(usize, usize)>,
}

/// The series that `windows.json` names, by name.
pub(super) fn read(folder: &Path) -> Result<Vec<Series>> {
    let labels = folder.join("windows.json");
    let text =
        fs::read_to_string(&labels).with_context(|| format!("cannot read {}", labels.display()))?;
    let named: BTreeMap<String, Vec<[String; 2]>> =
        serde_json::from_str(&text).with_context(|| format!("in {}", labels.display()))?;
    named.into_iter().map(|(name, windows)| one(folder, name, &windows)).collect()
}

fn one(folder: &Path, name: String, windows: &[[String; 2]]) -> Result<Series> {
    let path = folder.join("data").join(&name);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut stamps, mut seconds, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (at, line) in text.lines().enumerate().skip(1) {
        let place = || format!("{}, line {}", path.display(), at + 1);
        let Some((stamp, value)) = line.split_once(',') else {
            bail!("{}: expected `timestamp,value`", place());
        };
        let time: Timestamp = format!("{}Z", stamp.replacen(' ', "T", 1))
            .parse()
            .with_context(|| format!("{}: `{stamp}`", place()))?;
        stamps.push(stamp.to_owned());
        seconds.push(time.as_millis().div_euclid(1000));
        values.push(value.trim().parse().with_context(place)?);
    }
    let row = |stamp: &str| {
        let whole = stamp.split('.').next().unwrap_or(stamp);
        let found = stamps.iter().position(|it| it == whole);
        found
            .with_context(|| format!("{name} has no row at {stamp}, where a window begins or ends"))
    };
    let windows =
        windows.iter().map(|[from, to]| Ok((row(from)?, row(to)?))).collect::<Result<_>>()?;
    Ok(Series { stamps, seconds, values, windows, name })
}

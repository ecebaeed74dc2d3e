use crate::corpora;
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::fs;

/// Detectors were designed and their parameters chosen on these, with the seeds of `--tuning`.
pub(crate) const TUNING: [&str; 4] = [
    "realKnownCause/nyc_taxi.csv",
    "realTraffic/speed_6005.csv",
    "realAWSCloudwatch/ec2_cpu_utilization_5f5533.csv",
    "realTweets/Twitter_volume_IBM.csv",
];
/// Figures are reported on these.
pub(crate) const REPORTED: [&str; 5] = [
    "realTraffic/occupancy_6005.csv",
    "realAWSCloudwatch/elb_request_count_8c0756.csv",
    "realAWSCloudwatch/rds_cpu_utilization_e47b3b.csv",
    "realTweets/Twitter_volume_AAPL.csv",
    "realKnownCause/ambient_temperature_system_failure.csv",
];
const DAY_S: f64 = 86_400.0;

/// A real series as the course of a load.
pub(crate) struct Course {
    /// Each value over the mean, within a fifth and three times of it.
    levels: Vec<f32>,
    /// The mean of the hour up to each.
    smooth: Vec<f32>,
    labelled: Vec<bool>,
    step_s: f64,
}

impl Course {
    /// Reads `name` from the folder of the series.
    pub(crate) fn read(workspace: &Workspace, name: &str) -> Result<Self> {
        let folder = corpora::folder(workspace)?.join("nab");
        let path = folder.join("data").join(name);
        let place = || format!("cannot read {}", path.display());
        let text = fs::read_to_string(&path).with_context(place)?;
        let rows: Vec<(&str, f32)> = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(','))
            .filter_map(|(at, value)| Some((at, value.trim().parse().ok()?)))
            .collect();
        ensure!(rows.len() > 1, "{} holds fewer than two values", path.display());
        let second = |text: &str| -> Option<i64> {
            let of = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
            Some((of(8..10)? * 24 + of(11..13)?) * 3600 + of(14..16)? * 60 + of(17..19)?)
        };
        let times = rows.iter().take(3).filter_map(|(at, _)| second(at)).collect::<Vec<_>>();
        ensure!(times.len() > 1, "{}: expected times as in 2014-07-01 00:00:00", path.display());
        let step_s = times.windows(2).map(|it| it[1] - it[0]).min().unwrap_or(300).max(60) as f64;
        let windows: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(folder.join("windows.json"))?)?;
        let windows: Vec<(&str, &str)> = windows[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| Some((it[0].as_str()?, it[1].as_str()?)))
            .collect();
        let inside = |at: &str| windows.iter().any(|(from, to)| *from <= at && at <= *to);
        let labelled = rows.iter().map(|(at, _)| inside(at)).collect();
        let mean = rows.iter().map(|(_, value)| value).sum::<f32>() / rows.len() as f32;
        let levels: Vec<f32> =
            rows.iter().map(|(_, value)| (value / mean).clamp(0.2, 3.0)).collect();
        // A whole number of days, so that going round keeps the time of day.
        let per_day = (DAY_S / step_s) as usize;
        let whole = levels.len() / per_day * per_day;
        ensure!(whole > 0, "{} is shorter than a day", path.display());
        let hour = (3600.0 / step_s).ceil() as usize;
        let smooth = (0..levels.len())
            .map(|at| {
                let before = &levels[(at + 1).saturating_sub(hour)..=at];
                before.iter().sum::<f32>() / before.len() as f32
            })
            .take(whole)
            .collect();
        let levels = levels[..whole].to_vec();
        Ok(Self { levels, smooth, labelled, step_s })
    }

    fn place(&self, seconds: f64) -> usize {
        (seconds / self.step_s) as usize % self.levels.len()
    }

    /// The load at a time, about 1.
    pub(crate) fn level(&self, seconds: f64) -> f64 {
        f64::from(self.levels[self.place(seconds)])
    }

    /// How much longer operations take at a time: the fourth root of the load in
    /// the hour before.
    pub(crate) fn slowness(&self, seconds: f64) -> f64 {
        f64::from(self.smooth[self.place(seconds)]).powf(0.25)
    }

    /// Whether people labelled the time as an anomaly of this series.
    pub(crate) fn is_labelled(&self, seconds: f64) -> bool {
        self.labelled[self.place(seconds)]
    }

    /// Days of the series.
    pub(crate) fn days(&self) -> usize {
        (self.levels.len() as f64 * self.step_s / DAY_S) as usize
    }
}

use super::in_parallel;
use super::stream::{at, normals};
use fastrand::Rng;
use serde::Serialize;
use telemetry_runtime::detection::{
    LevelConfig, LevelDetector, MixDetector, RateConfig, RateDetector, Spending, Step,
};

const SAMPLES: u32 = 20_000;
/// Samples in which one false alarm is allowed: few, so that they can be counted.
const ONE_IN: f64 = 200_000.0;

/// False alarms of one detector that starts from nothing on exchangeable samples.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Promise {
    pub(crate) of: &'static str,
    pub(crate) runs: u64,
    pub(crate) allowed: f64,
    pub(crate) measured: u64,
}

type Draw = fn(&mut Rng) -> f64;

pub(crate) fn promises(runs: u64, seed: u64) -> Vec<Promise> {
    let spending = Spending { per_day: 86_400.0 / ONE_IN, startup: 0.0 };
    let allowed = runs as f64 * f64::from(SAMPLES) / ONE_IN;
    let mut all = Vec::new();
    let shares =
        [("share 0.1 %", 0.001), ("share 1 %", 0.01), ("share 5 %", 0.05), ("share 30 %", 0.3)];
    for (of, share) in shares {
        let alarmed = in_parallel(of, runs, |run| {
            let mut rng = Rng::with_seed(seed + 2_000_000 + run);
            let (mut detector, config) = (RateDetector::default(), RateConfig::default());
            (0..SAMPLES).any(|second| {
                let bad = rng.f64() < share;
                let step = detector.observe(bad, at(second.into()), spending, &config);
                matches!(step, Step::Began(_))
            })
        });
        all.push(Promise { of, runs, allowed, measured: count(&alarmed) });
    }
    let levels: [(&'static str, Draw); 3] = [
        ("level, log-normal", |rng| 5.0 + 0.5 * normals(rng).0),
        ("level, heavy tail", |rng| -(1.0 - rng.f64()).ln()),
        ("level, two modes", |rng| normals(rng).0 * 0.1 + f64::from(u8::from(rng.f64() < 0.2))),
    ];
    for (of, draw) in levels {
        let alarmed = in_parallel(of, runs, |run| {
            let mut rng = Rng::with_seed(seed + 3_000_000 + run);
            let mut detector = LevelDetector::default();
            (0..SAMPLES).any(|second| {
                let (value, at) = (draw(&mut rng), at(second.into()));
                let step = detector.observe(value, at, spending, &LevelConfig::DURATION);
                matches!(step, Step::Began(_))
            })
        });
        all.push(Promise { of, runs, allowed, measured: count(&alarmed) });
    }
    let alarmed = in_parallel("strategy mix", runs, |run| {
        let mut rng = Rng::with_seed(seed + 4_000_000 + run);
        let mut detector = MixDetector::default();
        (0..SAMPLES).any(|second| {
            let draw = rng.f64();
            let won = usize::from(draw < 0.1) + usize::from(draw < 0.02);
            matches!(detector.observe(won, at(second.into()), spending), Step::Began(_))
        })
    });
    all.push(Promise { of: "strategy mix 90, 8, 2 %", runs, allowed, measured: count(&alarmed) });
    all
}

fn count(alarmed: &[bool]) -> u64 {
    alarmed.iter().filter(|alarmed| **alarmed).count() as u64
}

use crate::sums::{ALTERNATIVES, Onset, Sums};
use crate::{Change, Spending, Step};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use telemetry_models::Timestamp;

/// Calls before the first alarm.
const WARM_UP: u64 = 64;
/// Calls from which the longest pause is forgotten, by and by.
const REMEMBERED: f64 = 20_000.0;
/// Calls due in a pause that counts as long.
const LONG: f64 = 4.0;
/// Nobody needs to hear of a shorter silence.
const SHORTEST: Duration = Duration::from_secs(30);
/// Hours before which the slowest pace is not known: a silence takes so many times longer.
const YOUNG_H: f64 = 20.0;
const YOUNG: f64 = 3.0;
/// The slowest of many averages of 48 calls is slower than the slowest pace by a third, by chance.
const BY_CHANCE: f64 = 0.75;
/// Days in which half of the slowest pace is forgotten.
const SLOWEST_DAYS: f64 = 30.0;
/// Rates that are no burst, as multiples of the usual one.
const LEAST_BURST: f64 = 8.0;
/// Calls the busiest stretch is measured over.
const STRETCH: u16 = 16;
/// Stretches whose pace is known but not believed yet.
const LAG: usize = 4;
/// Bursts that are watched for, as multiples of what is borne. No call may count more than a few, or
/// a handful of retries were a burst.
const BURSTS: [f64; ALTERNATIVES] = [1.5, 2.0, 2.5, 3.0, 3.5, 4.0];
/// A burst is over when so many calls in a row came at a usual pace.
const CALM: u8 = 16;

/// Finds silence, and bursts, of a selector's calls.
///
/// A pause is measured in calls that were due in it, by the slowest pace known: the slowest of 48 calls in
/// the last weeks, or as many times slower than usual at that hour of the day as ever, whichever is
/// quicker. A pace may fall to that all at once. Pauses of a steady process are exponential; the scale
/// of long ones is learned, and extrapolated to the budget (peaks over threshold with shape 0; Pickands
/// 1975), but never below the longest pause known. By the pace of the last calls, and where this hour of
/// the day is usually quieter than the one before by that, the silence must be as sure. A burst is a
/// mixture of Shiryaev–Roberts sums over higher paces, measured against the last 512 calls and beyond
/// the busiest stretch known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrequencyDetector {
    last: Option<Timestamp>,
    seen: u64,
    /// Seconds between calls: lately, and usually.
    lately: f64,
    usually: f64,
    /// The most seconds between calls that the last ones ever took.
    #[serde(default)]
    slowest: f64,
    /// The same over what is usual at that hour of the day: lately, and the most ever.
    #[serde(default)]
    relative: f64,
    #[serde(default)]
    slower: f64,
    /// Calls due by the slowest pace in the longest pause.
    longest: f64,
    /// The first call; `None` of a selector known from before this was kept.
    #[serde(default)]
    began: Option<Timestamp>,
    /// Pauses in which more than [`LONG`] calls were due by the slowest pace: how many, how many calls
    /// beyond; and all pauses.
    long: (f64, f64, f64),
    busiest: f32,
    /// The pace of the stretches after that, oldest first.
    busy: [f32; LAG],
    stretch: Stretch,
    day: Day,
    sums: Sums,
    /// Calls at a usual pace since a burst began; `None` without one.
    burst: Option<u8>,
    silent: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stretch {
    since: Timestamp,
    count: u16,
}

/// Calls an hour by hour of the day, each as a logarithm in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Day {
    logs: [i16; 24],
    known: u32,
    hour: i64,
    count: u32,
}

impl FrequencyDetector {
    /// Takes a call. `Began` is a burst, in calls a second; a silence is what
    /// [`silent_after`](Self::silent_after) tells. `Ended` ends either.
    pub fn observe(&mut self, at: Timestamp, spending: Spending) -> Step {
        let Some(last) = self.last.replace(self.last.map_or(at, |last| last.max(at))) else {
            self.stretch.since = at;
            self.began = Some(at);
            self.day.hour = hour(at);
            return Step::Quiet;
        };
        let gap = at.since(last).as_secs_f64();
        self.day.add(at);
        if self.seen == 0 {
            (self.lately, self.usually) = (gap, gap);
        }
        self.seen += 1;
        let ended = self.pause(gap, last, at);
        let step = self.test_burst(gap, at, spending);
        let rate = (1.0 / self.seen as f64).max(1.0 / 48.0);
        self.lately += (gap.min(12.0 * self.lately.max(1e-3)) - self.lately) * rate;
        if self.seen >= WARM_UP {
            let kept = 1.0 - 0.7 * (gap / 86_400.0).min(1.0) / SLOWEST_DAYS;
            self.slowest = (self.slowest * kept).max(self.lately);
            let due = (gap / self.base(last).max(self.base(at))).min(12.0);
            self.relative = if self.seen == WARM_UP {
                1.0
            } else {
                self.relative + (due - self.relative) / 48.0
            };
            self.slower = (self.slower * kept).max(self.relative);
        }
        let rate = (1.0 / self.seen as f64).max(1.0 / 512.0);
        self.usually += (gap.min(32.0 * self.usually.max(1e-3)) - self.usually) * rate;
        if ended && step == Step::Quiet { Step::Ended } else { step }
    }

    /// After how long without a call the selector is silent; `None` before enough calls were seen.
    pub fn silent_after(&self, spending: Spending) -> Option<Duration> {
        if self.seen < WARM_UP || self.silent {
            return None;
        }
        let last = self.last?;
        let pace = self.pace(last);
        let allowed = spending.per_day * pace / 86_400.0;
        // The chance of a long pause, and the scale of what goes beyond, with one more of each as a
        // steady process has them.
        let chance = (self.long.0 + LONG.exp().recip()) / (self.long.2 + 1.0);
        let scale = (self.long.1 + 8.0) / (self.long.0 + 8.0);
        let beyond = (chance.ln() - allowed.max(1e-300).ln()).max(1.0);
        let hours = self.began.map_or(YOUNG_H, |began| last.since(began).as_secs_f64() / 3600.0);
        let young = if hours < YOUNG_H { YOUNG } else { 1.0 };
        let due = (LONG + scale * beyond).max(1.2 * self.longest) * young;
        let slowly = walk(last, due, |at| self.slowest_at(at));
        // Where the coming hours are usually quieter, calls fall due more slowly.
        let due = -1.25 * allowed.clamp(1e-300, 0.1).ln();
        let lately = walk(last, due, |at| pace / self.day.ratio(last, at).min(1.0));
        Some(slowly.max(lately).max(SHORTEST))
    }

    /// Notes that a silence was announced; the next call ends it.
    pub fn set_silent(&mut self) -> Change {
        self.silent = true;
        Change {
            since: self.last.unwrap_or_default(),
            before: 1.0 / self.lately.max(1e-3),
            now: 0.0,
            samples: 0,
            learned: self.seen,
        }
    }

    /// Whether a silence was announced and no call came since.
    pub const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Whether a burst began and did not end.
    pub const fn is_bursting(&self) -> bool {
        self.burst.is_some()
    }

    /// The last call.
    pub const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Usual seconds between calls.
    pub const fn usual_gap_s(&self) -> f64 {
        self.usually
    }

    /// Seconds between calls that are due: lately, but after a busy spell no more than twice as many
    /// as usual, or three times as many as usual at that hour of the day.
    fn pace(&self, at: Timestamp) -> f64 {
        let hourly = self.day.gap_s(at).unwrap_or(0.0);
        self.lately.max(0.5 * self.usually).max(0.3 * hourly).max(1e-3)
    }

    /// Usual seconds between calls at that hour of the day, or lately where that is not known.
    fn base(&self, at: Timestamp) -> f64 {
        self.day.gap_s(at).unwrap_or(self.usually).max(1e-3)
    }

    /// The most seconds between calls that are to be reckoned with at that hour.
    fn slowest_at(&self, at: Timestamp) -> f64 {
        let slowest = self.slowest.min(self.base(at) * self.slower.max(1.0));
        let slowest = slowest * BY_CHANCE;
        slowest.max(self.lately).max(1e-3)
    }

    /// Learns from a pause; whether it ended a silence.
    fn pause(&mut self, gap: f64, last: Timestamp, at: Timestamp) -> bool {
        let due = gap / self.slowest_at(last).max(self.slowest_at(at));
        if self.seen > 16 {
            // A clock that jumps looks like a pause, but one must not hide all others.
            let due = due.min(1.5 * self.longest.max(16.0));
            self.longest = self.longest.max(due) * (1.0 - 0.2 / REMEMBERED);
            if due > LONG {
                self.long.0 += 1.0;
                self.long.1 += due - LONG;
            }
            self.long.2 += 1.0;
            if self.long.2 > REMEMBERED {
                let (a, b, c) = self.long;
                self.long = (a / 2.0, b / 2.0, c / 2.0);
            }
        }
        std::mem::take(&mut self.silent)
    }

    fn test_burst(&mut self, gap: f64, at: Timestamp, spending: Spending) -> Step {
        let usual = self.usually.max(1e-6);
        let due = gap / usual;
        if self.burst.is_none() {
            self.stretch.count += 1;
            if self.stretch.count == STRETCH {
                let took = at.since(self.stretch.since).as_secs_f64().max(1e-6);
                let pace = (usual * f64::from(STRETCH) / took) as f32;
                // What is a burst must not be known as usual before it is found.
                self.busiest = (self.busiest * 0.9998).max(self.busy[0]);
                self.busy.rotate_left(1);
                self.busy[LAG - 1] = if self.seen > WARM_UP { pace } else { 0.0 };
                self.stretch = Stretch { since: at, count: 0 };
            }
        }
        let borne = LEAST_BURST.max(2.0 * f64::from(self.busiest));
        if let Some(calm) = self.burst {
            let calm = if due > 1.0 / borne { calm + 1 } else { 0 };
            self.burst = (calm < CALM).then_some(calm);
            return if self.burst.is_some() { Step::Quiet } else { Step::Ended };
        }
        if self.seen < WARM_UP {
            return Step::Quiet;
        }
        self.sums.open(spending.weight(self.seen, gap), ALTERNATIVES);
        let here = Onset { at, samples: self.seen, total: 0.0 };
        let ratios = BURSTS.map(|burst| burst * (-(burst - 1.0) * borne * due).exp());
        if self.sums.multiply(&ratios, here) < 1.0 {
            return Step::Quiet;
        }
        let onset = self.sums.onset();
        let samples = self.seen + 1 - onset.samples;
        let took = at.since(onset.at).as_secs_f64().max(1e-3);
        self.sums.clear();
        self.burst = Some(0);
        Step::Began(Change {
            since: onset.at,
            before: 1.0 / usual,
            now: samples as f64 / took,
            samples,
            learned: onset.samples,
        })
    }
}

/// How long it takes until so many calls are due, at a pace that changes with the hour; a month at the
/// longest.
fn walk(from: Timestamp, due: f64, seconds_each: impl Fn(Timestamp) -> f64) -> Duration {
    let mut at = from;
    let mut left = due;
    for _ in 0..30 * 24 {
        let into = at.as_nanos().rem_euclid(HOUR_NS);
        let rest = (HOUR_NS - into) as f64 / 1e9;
        let each = seconds_each(at);
        if left * each <= rest {
            return at.since(from) + Duration::from_secs_f64(left * each);
        }
        left -= rest / each;
        at = at.saturating_add(Duration::from_secs_f64(rest));
    }
    at.since(from)
}

const HOUR_NS: i64 = 3_600_000_000_000;

const fn hour(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(HOUR_NS)
}

impl Day {
    fn add(&mut self, at: Timestamp) {
        let now = hour(at);
        if now > self.hour {
            for past in self.hour..now.min(self.hour + 24) {
                let count = if past == self.hour { f64::from(self.count) } else { 0.0 };
                let of_day = past.rem_euclid(24) as usize;
                let log = ((count + 0.5).ln() * 1000.0) as i16;
                let place = &mut self.logs[of_day];
                let known = self.known & (1 << of_day) != 0;
                *place = if known {
                    (f64::from(*place) * 0.7 + f64::from(log) * 0.3) as i16
                } else {
                    log
                };
                self.known |= 1 << of_day;
            }
            (self.hour, self.count) = (now, 0);
        }
        self.count += 1;
    }

    /// Seconds between calls at the hour of `at`; `None` where it is not known.
    fn gap_s(&self, at: Timestamp) -> Option<f64> {
        let of_day = hour(at).rem_euclid(24) as usize;
        let known = self.known & (1 << of_day) != 0;
        known.then(|| 3600.0 / (f64::from(self.logs[of_day]) / 1000.0).exp())
    }

    /// How much busier the hour of `at` usually is than that of `than`; 1 where it is not known.
    fn ratio(&self, than: Timestamp, at: Timestamp) -> f64 {
        let of = |at: Timestamp| hour(at).rem_euclid(24) as usize;
        let (a, b) = (of(than), of(at));
        if a == b || self.known & (1 << a) == 0 || self.known & (1 << b) == 0 {
            return 1.0;
        }
        (f64::from(self.logs[b] - self.logs[a]) / 1000.0).exp()
    }
}

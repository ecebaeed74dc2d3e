use crate::sums::{ALTERNATIVES, Onset, Sums};
use crate::{Change, Spending, Step};
use serde::{Deserialize, Serialize};
use telemetry_models::Timestamp;

/// Odds of being wrong under the alternatives, as multiples of what is usual at that confidence.
const MULTIPLES: [f64; ALTERNATIVES] = [2.0, 3.0, 5.0, 9.0, 20.0, 60.0];
/// Results that are supposed to have been as right as they said, before the first.
const PRIOR: f64 = 2.0;
/// A result is never surer than this.
const LEAST_DOUBT: f64 = 0.002;
/// Odds so many times what was learned are no change.
const BORNE: f64 = 1.2;
/// Results from which half is forgotten.
const MEMORY: f32 = 50_000.0;
/// Results before the first alarm.
const WARM_UP: u64 = 20;
/// An open change ends when results as right as usual explain what came since so much better.
const ENDED: f64 = 1e3;

/// Finds the moment from which a confidence no longer means what it did: results of which it says "0.9"
/// turn out wrong more often than they used to at 0.9.
///
/// A mixture of Shiryaev–Roberts e-detectors over the odds of being wrong, as
/// [`RateDetector`](crate::RateDetector), with a null of its own for each result: what its confidence
/// says, times how far that was from the truth so far (calibration in the large, learned by prediction).
/// A rise of failures that comes with lower confidence is none: it was said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrustDetector {
    sums: Sums,
    /// Wrong results, and how many were to be expected.
    wrong: f32,
    expected: f32,
    /// Share of wrong results that the latest confidences used to mean.
    meant: f64,
    seen: u64,
    wrong_seen: f64,
    last: Option<Timestamp>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    times: f64,
    back: f64,
}

impl TrustDetector {
    /// Takes a result that was found with this confidence, 0 to 1, and whether it was right. A change's
    /// values are shares of right results: what the confidences since would have meant before, and what
    /// they turned out to.
    pub fn observe(
        &mut self,
        confidence: f64,
        right: bool,
        at: Timestamp,
        spending: Spending,
    ) -> Step {
        if !(0.0..=1.0).contains(&confidence) {
            return Step::Quiet;
        }
        let gap = self.last.map_or(0.0, |last| at.since(last).as_secs_f64());
        self.last = self.last.max(Some(at));
        let doubt = (1.0 - confidence).clamp(LEAST_DOUBT, 0.98);
        let usual = with_odds(doubt, self.times()).min(0.98);
        let n = self.seen;
        self.meant += (usual - self.meant) / (n + 1).min(32) as f64;
        self.seen += 1;
        if let Some(open) = self.open {
            return self.watch_end(usual, right, open);
        }
        let null = with_odds(usual, BORNE);
        let ratios = MULTIPLES.map(|times| {
            let share = with_odds(null, times);
            if right { (1.0 - share) / (1.0 - null) } else { share / null }
        });
        if n >= WARM_UP {
            self.sums.open(spending.weight(n, gap), ALTERNATIVES);
        }
        let here = Onset { at, samples: n, total: self.wrong_seen };
        let total = self.sums.multiply(&ratios, here);
        self.wrong_seen += f64::from(u8::from(!right));
        self.wrong += f32::from(u8::from(!right));
        self.expected += doubt as f32;
        if n as f32 > MEMORY && self.wrong + self.expected > MEMORY / 10.0 {
            (self.wrong, self.expected) = (self.wrong * 0.5, self.expected * 0.5);
        }
        if total < 1.0 {
            return Step::Quiet;
        }
        let onset = self.sums.onset();
        self.sums.clear();
        let samples = self.seen - onset.samples;
        let since = self.wrong_seen - onset.total;
        // What is usual ends where the change began.
        self.wrong = (self.wrong - since as f32).max(0.0);
        let now = 1.0 - since / samples as f64;
        let before = 1.0 - self.meant;
        let odds = |share: f64| share.clamp(0.001, 0.999) / (1.0 - share.clamp(0.001, 0.999));
        let times = (odds(1.0 - now) / odds(self.meant)).clamp(1.5, 1e3);
        self.open = Some(Open { times, back: 1.0 });
        Step::Began(Change { since: onset.at, before, now, samples, learned: onset.samples })
    }

    /// Whether a change began and did not end.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes an open change as settled; another one needs new evidence.
    pub fn dismiss(&mut self) {
        self.open = None;
        self.sums.clear();
    }

    /// How many times more often results were wrong than their confidence said.
    fn times(&self) -> f64 {
        (f64::from(self.wrong) + PRIOR) / (f64::from(self.expected) + PRIOR)
    }

    fn watch_end(&mut self, usual: f64, right: bool, mut open: Open) -> Step {
        let now = with_odds(usual, open.times);
        let ratio = if right { (1.0 - usual) / (1.0 - now) } else { usual / now };
        open.back = open.back.max(1.0) * ratio;
        self.open = (open.back < ENDED).then_some(open);
        if self.open.is_some() { Step::Quiet } else { Step::Ended }
    }
}

/// A share whose odds are so many times those of another.
fn with_odds(share: f64, times: f64) -> f64 {
    times * share / (1.0 + (times - 1.0) * share)
}

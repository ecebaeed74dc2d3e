use super::stream::{
    CONFIDENCE, CONFIDENCE_SD, DURATION_SD, FALLBACK, Fault, MATCHES, MATCHES_SD, Sample, Stream,
    ZERO,
};
use telemetry_runtime::models::Outcome;

/// Excursions the run length is measured with.
const EXCURSIONS: u32 = 20_000;

/// Page's CUSUM that knows the fault, and the load: the least mean delay that any procedure of its
/// run length can have (Moustakides 1986). For confidence that slides it knows the slope, and takes
/// each return to zero for the possible beginning; its height then is the logarithm of the run
/// length, which is on the safe side (Lorden 1971), so slides are compared with a procedure that is
/// a few per cent slower than the best.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oracle {
    fault: Fault,
    height: f64,
    statistic: f64,
    /// Hours since the statistic was zero.
    since: f64,
}

impl Oracle {
    /// The procedure whose mean run length to a false alarm is `run_length` operations, measured on
    /// streams like `stream`: the mean length of an excursion from zero over the chance that one
    /// reaches the height, which is measured under the fault and weighted back (Siegmund 1976). It is
    /// measured at the very height: shares move the statistic by large steps, and heights between two
    /// of them have one run length.
    pub(crate) fn new(fault: Fault, run_length: f64, stream: &Stream<'_>) -> Self {
        let mut oracle = Self { fault, height: f64::INFINITY, statistic: 0.0, since: 0.0 };
        if matches!(fault, Fault::Confidence { .. } | Fault::Silence) {
            oracle.height = run_length.ln();
            return oracle;
        }
        let mut stream = stream.clone();
        let mut length = 0_u64;
        let top = run_length.ln() + 2.0;
        // The records of each excursion under the fault.
        let mut ladders: Vec<Vec<f64>> = Vec::new();
        for _ in 0..EXCURSIONS {
            let mut sum: f64 = 0.0;
            loop {
                length += 1;
                sum += oracle.ratio(&stream.sample(None), 0.0);
                if sum <= 0.0 {
                    break;
                }
            }
            sum = 0.0;
            let mut ladder: Vec<f64> = Vec::new();
            while ladder.last().is_none_or(|record| *record < top) {
                sum += oracle.ratio(&stream.sample(Some((fault, 0.0))), 0.0);
                if sum <= 0.0 {
                    break;
                }
                if ladder.last().is_none_or(|record| sum > *record) {
                    ladder.push(sum);
                }
            }
            ladders.push(ladder);
        }
        let mean = length as f64 / f64::from(EXCURSIONS);
        let chance = |height: f64| {
            let first = |ladder: &Vec<f64>| {
                let at = ladder.partition_point(|record| *record < height);
                ladder.get(at).map_or(0.0, |record| (-record).exp())
            };
            ladders.iter().map(first).sum::<f64>() / f64::from(EXCURSIONS)
        };
        let (mut low, mut high) = (0.1, top);
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            if run_length * chance(middle) > mean { low = middle } else { high = middle }
        }
        oracle.height = high;
        oracle
    }

    /// Takes an operation, `hours` after the one before; whether it raises an alarm.
    pub(crate) fn step(&mut self, sample: &Sample, hours: f64) -> bool {
        self.since += hours;
        self.statistic += self.ratio(sample, self.since);
        if self.statistic <= 0.0 {
            (self.statistic, self.since) = (0.0, 0.0);
        }
        self.statistic >= self.height
    }

    pub(crate) const fn height(&self) -> f64 {
        self.height
    }

    /// Logarithm of the likelihood ratio of a sample.
    fn ratio(&self, sample: &Sample, hours: f64) -> f64 {
        let operation = &sample.operation;
        let verdict = operation.outcome.is_verdict();
        let success = operation.outcome == Outcome::Success;
        let share = |counts: bool, from: f64, to: f64| {
            if counts { (to / from).ln() } else { ((1.0 - to) / (1.0 - from)).ln() }
        };
        let shift = |z: f64, by: f64| by * (z - by / 2.0);
        match self.fault {
            // Environment faults are no verdicts: the share is one of the other 99 %.
            Fault::Errors(from, to) if verdict => share(!success, from / 0.99, to / 0.99),
            Fault::Timeouts(from, to) if verdict => {
                share(operation.outcome == Outcome::Timeout, from / 0.99, to / 0.99)
            }
            Fault::ZeroMatches(to) if verdict => {
                share(operation.matched_nothing, ZERO / 0.99, to / 0.99)
            }
            Fault::Fallbacks(to) if success => share(operation.won != Some(0), FALLBACK, to),
            Fault::MatchesHalved if success => {
                let matches = f64::from(operation.matches.unwrap_or(0).max(1));
                let z = (matches / MATCHES).ln() / MATCHES_SD;
                shift(-z, 2_f64.ln() / MATCHES_SD)
            }
            Fault::Slower(times) if success => shift(sample.duration_z, times.ln() / DURATION_SD),
            Fault::Variance(times) if success => {
                let square = sample.duration_z * sample.duration_z;
                square / 2.0 * (1.0 - 1.0 / (times * times)) - times.ln()
            }
            Fault::Confidence { per_hour } if success => {
                let z = (CONFIDENCE - operation.confidence.unwrap_or(CONFIDENCE)) / CONFIDENCE_SD;
                shift(z, per_hour * hours / CONFIDENCE_SD)
            }
            _ => 0.0,
        }
    }
}

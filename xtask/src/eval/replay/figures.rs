//! What came of it.

use anyhow::Result;
use fastrand::Rng;
use serde::Serialize;

/// Student's t, two-sided 95 %, for a handful of fleets and more.
const T: f64 = 2.2;

#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) gaining: Vec<Fleet>,
    pub(super) null: Vec<Fleet>,
    pub(super) real: Option<Real>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Fleet {
    pub(super) selectors: u64,
    pub(super) advised: u64,
    pub(super) harmful: u64,
    pub(super) present_ms: f64,
    pub(super) predicted_ms: f64,
    pub(super) realised_ms: f64,
    /// Sum over the cards.
    pub(super) coverage: f64,
    /// Operations behind the cards.
    pub(super) probed: u64,
}

/// Of a store of real operations.
#[derive(Debug, Default, Serialize)]
pub(super) struct Real {
    pub(super) events: u64,
    pub(super) selectors: u64,
    pub(super) probed: u64,
    pub(super) scarce: u64,
    /// Orders that are recommended.
    pub(super) advised: Replayed,
    /// The best order of every selector for which it is not the present one.
    pub(super) best: Replayed,
}

/// Orders, replayed on operations they were not chosen by.
#[derive(Debug, Default, Serialize)]
pub(super) struct Replayed {
    pub(super) orders: u64,
    /// Of which the untouched operations tell something.
    pub(super) replayed: u64,
    pub(super) n: u64,
    pub(super) covered: u64,
    /// Effective sample size, summed over the orders.
    pub(super) effective: f64,
    pub(super) present_ms: f64,
    pub(super) predicted_ms: f64,
    pub(super) realised_ms: f64,
    /// Operations that would find nothing, or another element.
    pub(super) lost: f64,
}

impl Figures {
    fn sum(fleets: &[Fleet], of: fn(&Fleet) -> f64) -> f64 {
        fleets.iter().map(of).sum()
    }

    /// Mean saving of a fleet as a share of its time, and the lower end of its 95 % interval.
    fn saving(&self) -> (f64, f64) {
        let shares: Vec<f64> =
            self.gaining.iter().map(|it| it.realised_ms / it.present_ms).collect();
        let n = shares.len() as f64;
        let mean = shares.iter().sum::<f64>() / n;
        let variance = shares.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, mean - T * (variance / n).sqrt())
    }

    fn calibration(&self) -> f64 {
        Self::sum(&self.gaining, |it| it.realised_ms)
            / Self::sum(&self.gaining, |it| it.predicted_ms)
    }

    fn harmful(&self) -> f64 {
        Self::sum(&self.gaining, |it| it.harmful as f64)
            / Self::sum(&self.gaining, |it| it.advised as f64).max(1.0)
    }

    fn null_advised(&self) -> f64 {
        Self::sum(&self.null, |it| it.advised as f64)
            / Self::sum(&self.null, |it| it.selectors as f64)
    }

    pub(super) fn holds(&self) -> bool {
        self.saving().1 >= 0.15
            && (0.9..=1.1).contains(&self.calibration())
            && self.harmful() <= 0.02
            && self.null_advised() <= 0.05
    }

    pub(super) fn print(&self, json: bool) -> Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        if let Some(real) = &self.real {
            real.print();
            return Ok(());
        }
        println!("  fleet  selectors  advised  harmful  predicted  realised  coverage");
        for (at, it) in self.gaining.iter().enumerate() {
            let share = |ms: f64| 100.0 * ms / it.present_ms;
            println!(
                "  {at:>5}  {:>9}  {:>7}  {:>7}  {:>7.1} %  {:>6.1} %  {:>6.1} %",
                it.selectors,
                it.advised,
                it.harmful,
                share(it.predicted_ms),
                share(it.realised_ms),
                100.0 * it.coverage / it.advised.max(1) as f64,
            );
        }
        let (mean, low) = self.saving();
        let rows = [
            ("joint held-out saving, lower 95 % bound, %", 100.0 * low, "at least 15"),
            ("joint held-out saving, mean, %", 100.0 * mean, ""),
            ("realised ÷ predicted", self.calibration(), "0.9 to 1.1"),
            ("harmful, % of advised", 100.0 * self.harmful(), "at most 2"),
            ("advised in null fleets, % of selectors", 100.0 * self.null_advised(), "at most 5"),
        ];
        println!();
        for (name, value, bar) in rows {
            println!("  {name:<44} {value:>8.3}  {bar}");
        }
        Ok(())
    }
}

impl Real {
    fn print(&self) {
        println!("  events {}, selectors {}, probed {}", self.events, self.selectors, self.probed);
        println!("  selectors of which too little is known to advise: {}", self.scarce);
        self.advised.print("orders recommended");
        self.best.print("best orders that differ from the present one, recommended or not");
    }
}

impl Replayed {
    fn print(&self, name: &str) {
        let share = |part: f64, whole: f64| {
            if whole > 0.0 { format!("{:.1} %", 100.0 * part / whole) } else { "no data".into() }
        };
        let ratio = if self.predicted_ms > 0.0 {
            format!("{:.2}", self.realised_ms / self.predicted_ms)
        } else {
            "no data".into()
        };
        println!(
            "\n  {name}: {}, replayed on the untouched quarter {}",
            self.orders, self.replayed
        );
        println!("    operations                {:>12}", self.n);
        println!("    coverage                  {:>12}", share(self.covered as f64, self.n as f64));
        println!("    effective sample size     {:>12.0}", self.effective);
        println!("    time of the tries         {:>12}", format!("{:.1} ms", self.present_ms));
        println!("    saving predicted          {:>12}", share(self.predicted_ms, self.present_ms));
        println!("    saving realised           {:>12}", share(self.realised_ms, self.present_ms));
        println!("    realised ÷ predicted      {:>12}", ratio);
        println!("    success lost              {:>12}", share(self.lost, self.n as f64));
    }
}

/// Box and Muller's.
pub(super) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * rng.f64().max(f64::MIN_POSITIVE).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

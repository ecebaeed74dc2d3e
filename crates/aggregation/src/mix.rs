/// A mean over groups, before and after, taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixEffect {
    /// After minus before.
    pub total: f64,
    /// What comes from changes within the groups, their shares held at the mean of both times.
    pub within: f64,
    /// What comes from changed shares of the groups.
    pub mix: f64,
}

impl MixEffect {
    /// Whether the total says the opposite of what happened within the groups, or says that
    /// something happened although the groups stayed as they were: Simpson's paradox. `least` is
    /// the smallest difference that counts.
    pub fn misleads(&self, least: f64) -> bool {
        let counts = |value: f64| value.abs() >= least;
        counts(self.total) && (!counts(self.within) || self.total.signum() != self.within.signum())
    }
}

/// Sum of values and number of samples of one group, before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MixGroup {
    /// Sum of the values before.
    pub before: f64,
    /// Samples before.
    pub before_n: u64,
    /// Sum of the values after.
    pub after: f64,
    /// Samples after.
    pub after_n: u64,
}

/// Splits the change of a mean over all samples into what changed within the groups and what
/// changed in their shares. The two add up to the total. A group with samples on one side only
/// has no change within; what it does to the mean is mix. `None` without samples on both sides.
///
/// Weights are the mean of both times (Marshall–Edgeworth), so that the answer does not depend on
/// which side is called before. Compare E. H. Simpson, “The interpretation of interaction in
/// contingency tables”, Journal of the Royal Statistical Society B 13 (1951).
pub fn mix_effect(groups: impl IntoIterator<Item = MixGroup>) -> Option<MixEffect> {
    let groups: Vec<MixGroup> = groups.into_iter().collect();
    let before_n: u64 = groups.iter().map(|it| it.before_n).sum();
    let after_n: u64 = groups.iter().map(|it| it.after_n).sum();
    if before_n == 0 || after_n == 0 {
        return None;
    }
    let before = groups.iter().map(|it| it.before).sum::<f64>() / before_n as f64;
    let after = groups.iter().map(|it| it.after).sum::<f64>() / after_n as f64;
    let within = groups
        .iter()
        .filter(|it| it.before_n > 0 && it.after_n > 0)
        .map(|it| {
            let share = it.before_n as f64 / before_n as f64 + it.after_n as f64 / after_n as f64;
            share / 2.0 * (it.after / it.after_n as f64 - it.before / it.before_n as f64)
        })
        .sum::<f64>();
    let total = after - before;
    Some(MixEffect { total, within, mix: total - within })
}

#[cfg(test)]
mod tests {
    use super::{MixGroup, mix_effect};

    fn group(before: (u64, u64), after: (u64, u64)) -> MixGroup {
        MixGroup {
            before: before.0 as f64,
            before_n: before.1,
            after: after.0 as f64,
            after_n: after.1,
        }
    }

    #[test]
    fn a_paradox_is_seen() {
        // Kidney stones (Charig and others, 1986): better within both groups, worse in total.
        let effect =
            mix_effect([group((234, 270), (81, 87)), group((55, 80), (192, 263))]).unwrap();
        assert!(effect.total < 0.0 && effect.within > 0.0, "{effect:?}");
        assert!((effect.within + effect.mix - effect.total).abs() < 1e-12);
        assert!(effect.misleads(0.01));
    }

    #[test]
    fn without_a_change_of_shares_all_is_within() {
        let effect = mix_effect([group((9, 10), (5, 10)), group((20, 20), (20, 20))]).unwrap();
        assert!(effect.mix.abs() < 1e-12 && (effect.total + 4.0 / 30.0).abs() < 1e-12);
        assert!(!effect.misleads(0.01));
    }

    #[test]
    fn one_side_only() {
        assert_eq!(mix_effect([group((1, 1), (0, 0))]), None);
        let effect = mix_effect([group((10, 10), (0, 0)), group((0, 0), (5, 10))]).unwrap();
        assert_eq!((effect.within, effect.mix), (0.0, -0.5));
    }
}

use telemetry_models::Timestamp;

/// How likely each selector is to break where its page was redesigned, before it is seen to.
const BREAKS: f64 = 0.2;
/// Evidence that others changed from which they are believed to, as a likelihood ratio.
const SURE: f64 = 20.0;
/// Share of redesigns in which a selector that still works may be called broken with the others.
const ASTRAY: f64 = 1.0 / 500.0;

/// Between which two times a selector changed, if it did: its last success, and its first fault after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Between {
    /// The last success.
    pub from: Timestamp,
    /// The first fault after it.
    pub to: Timestamp,
}

impl Between {
    /// Whether both may have changed at one time. As a page that rightly lacks the element may have
    /// come just before, one gap between two operations is borne.
    pub fn overlaps(self, other: Self) -> bool {
        let gap = self.to.since(self.from);
        other.to >= self.from.saturating_sub(gap) && other.from <= self.to.saturating_add(gap)
    }
}

/// What the other selectors of a page say about one of them: whether they broke when it may have.
///
/// The likelihood ratio of "the page was redesigned then, and each other selector broke with
/// probability 0.2" against "nothing changed". A selector's own operations are no part of it, so for one
/// that still works it says nothing but at which time to look: the hypothesis "it broke with them" may
/// be given a weight of its own, and is believed wrongly in at most that share of all redesigns
/// (Ville's inequality), where the selectors of a page fail independently of each other. It changes
/// nothing of what is learned of the selector, nor of the budget of its detectors.
#[derive(Clone, Copy, Debug)]
pub struct Company {
    ratio: f64,
}

impl Default for Company {
    fn default() -> Self {
        Self { ratio: 1.0 }
    }
}

impl Company {
    /// Adds another selector of the page that was used since: `evidence` that it broke then, as a
    /// likelihood ratio; `None` of one that works.
    pub fn add(&mut self, evidence: Option<f64>) {
        self.ratio *= 1.0 - BREAKS + BREAKS * evidence.unwrap_or(0.0).min(1e6);
    }

    /// The weight of the hypothesis that the selector broke with them; 0 where they do not say so.
    pub fn weight(self) -> f64 {
        if self.ratio >= SURE { ASTRAY } else { 0.0 }
    }
}

use crate::meter::{Answer, Kind, MeterPlan, level_of};
use crate::{Against, NoData, Rule};
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_aggregation::WindowLimits;
use telemetry_models::{Aggregate, Comparison, Event, Signal};

/// What the rules that cover a selector need to know of it: worked out once for each set of rules,
/// and shared by all selectors that the same rules cover.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The rules, in the order in which they are looked at.
    pub(crate) entries: Vec<Entry>,
    pub(crate) feeds: Vec<FeedPlan>,
    pub(crate) meters: Vec<MeterPlan>,
    pub(crate) baselines: Vec<BaselinePlan>,
    pub(crate) trails: Vec<TrailPlan>,
    /// Entries whose answer no meter tells.
    pub(crate) restless: Vec<u16>,
    /// Entries that others keep quiet.
    pub(crate) blocked: Vec<u16>,
    /// Meters of windows by time.
    pub(crate) timed: Vec<u16>,
}

/// A rule that covers the selector.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) rule: Arc<Rule>,
    /// Its place among the engine's rules.
    pub(crate) at: usize,
    pub(crate) feed: u16,
    pub(crate) meter: u16,
    pub(crate) baseline: Option<u16>,
    pub(crate) trail: u16,
    pub(crate) answer: Answer,
    pub(crate) min_samples: u64,
    /// Entries that keep this one quiet while they speak.
    pub(crate) unless: Vec<u16>,
}

/// A signal that is watched.
#[derive(Debug)]
pub(crate) struct FeedPlan {
    pub(crate) signal: Signal,
    /// Only operations with these attributes.
    attributes: BTreeMap<String, String>,
    /// Samples that some window or baseline reaches back to.
    pub(crate) depth: usize,
    pub(crate) timed: bool,
    pub(crate) meters: Vec<u16>,
    pub(crate) baselines: Vec<u16>,
    pub(crate) trails: Vec<u16>,
}

impl FeedPlan {
    /// What an event says, to rules that look at events like it.
    pub(crate) fn value_of(&self, event: &Event) -> Option<f64> {
        let counts = self.attributes.is_empty() || Rule::counts(&self.attributes, event);
        if counts { self.signal.of(event) } else { None }
    }

    /// The name its samples are kept under.
    pub(crate) fn key(&self) -> String {
        let attributes = self.attributes.iter().map(|(key, value)| format!(" {key}={value}"));
        self.signal.as_str().to_owned() + &attributes.collect::<String>()
    }
}

/// The samples before a window, as one value.
#[derive(Debug)]
pub(crate) struct BaselinePlan {
    pub(crate) feed: u16,
    limits: WindowLimits,
    pub(crate) aggregate: Aggregate,
    pub(crate) capacity: usize,
    pub(crate) min: usize,
    /// A meter with the window it lies before.
    pub(crate) meter: u16,
    /// Every meter whose entries are held against it.
    pub(crate) meters: Vec<u16>,
}

/// Operations told into good and bad ones in one way.
#[derive(Debug)]
pub(crate) struct TrailPlan {
    pub(crate) feed: u16,
    pub(crate) test: Test,
    pub(crate) entries: Vec<u16>,
    /// The longest window that looks at it, in samples.
    pub(crate) reach: u64,
}

/// Which operations are of the kind a rule complains of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Test {
    /// Those that count in a share, or those that do not.
    Share {
        good: bool,
    },
    /// Those with such a value.
    Level(Comparison, f64),
    /// Those with such a value against a baseline.
    Relative {
        baseline: u16,
        against: Against,
        comparison: Comparison,
        level: f64,
    },
    Never,
}

impl Test {
    pub(crate) fn is_bad(self, value: f64, baseline: Option<f64>) -> bool {
        match self {
            Self::Share { good } => (value != 0.0) != good,
            Self::Level(comparison, level) => comparison.holds(value, level),
            Self::Relative { against, comparison, level, .. } => {
                baseline.is_some_and(|base| comparison.holds(level_of(against, value, base), level))
            }
            Self::Never => false,
        }
    }
}

impl Plan {
    /// The plan for these rules, each with its place among the engine's rules.
    pub(crate) fn new(rules: &[(usize, Arc<Rule>)]) -> Self {
        let mut plan = Self::default();
        for (at, rule) in rules {
            plan.add(*at, rule);
        }
        for at in 0..plan.entries.len() {
            let rule = Arc::clone(&plan.entries[at].rule);
            let blocks = |it: &&Entry| rule.unless_firing.contains(&it.rule.id);
            let unless: Vec<u16> = (0u16..)
                .zip(&plan.entries)
                .filter(|(_, it)| blocks(it))
                .map(|(at, _)| at)
                .collect();
            if !unless.is_empty() {
                plan.blocked.push(at as u16);
            }
            plan.entries[at].unless = unless;
        }
        plan
    }

    /// The entry of a rule.
    pub(crate) fn entry(&self, rule: &str) -> Option<u16> {
        (0u16..).zip(&self.entries).find(|(_, it)| &*it.rule.id == rule).map(|(at, _)| at)
    }

    /// Whether time alone changes nothing about a selector that is all right.
    pub(crate) fn is_still(&self) -> bool {
        self.timed.is_empty() && self.restless.is_empty()
    }

    fn add(&mut self, at: usize, rule: &Arc<Rule>) {
        let (entry, limits) = (self.entries.len() as u16, rule.window());
        let feed = self.feed(rule, limits);
        let own_past = (rule.against != Against::Fixed).then(|| self.baseline(feed, rule, limits));
        let (kind, answer) = Kind::of(rule, own_past);
        let meter = self.meter(feed, limits, kind);
        self.meters[usize::from(meter)].entries.push(entry);
        if let Some(baseline) = own_past {
            let baseline = &mut self.baselines[usize::from(baseline)];
            baseline.meter = meter;
            if !baseline.meters.contains(&meter) {
                baseline.meters.push(meter);
            }
        }
        if answer == Answer::Unknown || !matches!(rule.no_data, NoData::Keep) {
            self.restless.push(entry);
        }
        let trail = self.trail(feed, rule, own_past);
        let told = &mut self.trails[usize::from(trail)];
        told.entries.push(entry);
        told.reach = told.reach.max(limits.last as u64);
        self.entries.push(Entry {
            rule: Arc::clone(rule),
            at,
            feed,
            meter,
            baseline: own_past,
            trail,
            answer,
            min_samples: rule.min_samples() as u64,
            unless: Vec::new(),
        });
    }

    fn feed(&mut self, rule: &Rule, limits: WindowLimits) -> u16 {
        let at = place_of(
            &mut self.feeds,
            |it| it.signal == rule.signal && it.attributes == rule.attributes,
            || FeedPlan {
                signal: rule.signal,
                attributes: rule.attributes.clone(),
                depth: 0,
                timed: false,
                meters: Vec::new(),
                baselines: Vec::new(),
                trails: Vec::new(),
            },
        );
        let feed = &mut self.feeds[usize::from(at)];
        feed.depth = feed.depth.max(limits.last + rule.past_samples());
        feed.timed |= limits.within.is_some();
        at
    }

    fn baseline(&mut self, feed: u16, rule: &Rule, limits: WindowLimits) -> u16 {
        let (capacity, min, aggregate) = (rule.past_samples(), rule.min_past(), rule.aggregate());
        let same = |it: &BaselinePlan| {
            (it.feed, it.limits, it.aggregate) == (feed, limits, aggregate)
                && (it.capacity, it.min) == (capacity, min)
        };
        let known = self.baselines.len();
        let at = place_of(&mut self.baselines, same, || BaselinePlan {
            feed,
            limits,
            aggregate,
            capacity,
            min,
            meter: 0,
            meters: Vec::new(),
        });
        if usize::from(at) == known {
            self.feeds[usize::from(feed)].baselines.push(at);
        }
        at
    }

    fn meter(&mut self, feed: u16, limits: WindowLimits, kind: Kind) -> u16 {
        let same = |it: &MeterPlan| (it.feed, it.limits, it.kind) == (feed, limits, kind);
        let known = self.meters.len();
        let new = || MeterPlan { feed, limits, kind, entries: Vec::new() };
        let at = place_of(&mut self.meters, same, new);
        if usize::from(at) == known {
            self.feeds[usize::from(feed)].meters.push(at);
            if limits.within.is_some() {
                self.timed.push(at);
            }
        }
        at
    }

    fn trail(&mut self, feed: u16, rule: &Rule, baseline: Option<u16>) -> u16 {
        let (comparison, level) = (rule.comparison, rule.fire_at);
        let test = match baseline {
            _ if rule.signal.is_share() => Test::Share { good: rule.signal == Signal::SuccessRate },
            _ if rule.signal == Signal::Frequency => Test::Never,
            Some(baseline) => Test::Relative { baseline, against: rule.against, comparison, level },
            None => Test::Level(comparison, level),
        };
        let known = self.trails.len();
        let new = || TrailPlan { feed, test, entries: Vec::new(), reach: 0 };
        let at = place_of(&mut self.trails, |it| (it.feed, it.test) == (feed, test), new);
        if usize::from(at) == known {
            self.feeds[usize::from(feed)].trails.push(at);
        }
        at
    }
}

/// The place of the one that is the same, or of a new one.
fn place_of<T>(all: &mut Vec<T>, same: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> u16 {
    let at = all.iter().position(same).unwrap_or_else(|| {
        all.push(new());
        all.len() - 1
    });
    u16::try_from(at).expect("fewer than 65,536 rules")
}

use crate::member::Member;
use crate::roster::{Roster, Seat};
use crate::time_window::Opening;
use crate::{AlertMatcher, DeliveryConfig, GroupBy, Silence};
use std::borrow::Cow;
use std::collections::BTreeMap;
use telemetry_interfaces::Result;
use telemetry_models::Timestamp;

/// Decides which alerts are not announced at a moment, and which channel is told of what.
pub(crate) struct Rules {
    times: BTreeMap<String, Opening>,
    config: DeliveryConfig,
    /// Open alerts that a rule of inhibition knows as source.
    sources: BTreeMap<Seat, usize>,
}

impl Rules {
    pub(crate) fn new(config: &DeliveryConfig) -> Result<Self> {
        let open = |it: &crate::TimeWindow| Ok((it.name.clone(), it.opening()?));
        let times = config.times.iter().map(open).collect::<Result<_>>()?;
        Ok(Self { times, config: config.clone(), sources: BTreeMap::new() })
    }

    pub(crate) fn note(&mut self, seat: Seat, member: &Member) {
        if !member.open {
            self.sources.remove(&seat);
            return;
        }
        for (at, rule) in self.config.inhibit.iter().enumerate() {
            if rule.source.covers(member) {
                self.sources.insert(seat, at);
            }
        }
    }

    fn within(&self, names: &[String], at: Timestamp) -> bool {
        names.iter().any(|name| self.times.get(name).is_some_and(|it| it.contains(at)))
    }

    /// Whether a channel is told of an alert at all.
    pub(crate) fn routed(&self, channel: &str, member: &Member, at: Timestamp) -> bool {
        let mut named = false;
        for route in &self.config.routes {
            if !route.channels.iter().any(|name| name == channel) {
                continue;
            }
            named = true;
            let open = route.during.is_empty() || self.within(&route.during, at);
            if open && route.matcher.covers(member) {
                return true;
            }
        }
        !named
    }

    pub(crate) fn muted(&self, member: &Member, at: Timestamp) -> bool {
        let mut mutes = self.config.mutes.iter();
        mutes.any(|mute| mute.matcher.covers(member) && self.within(&mute.during, at))
    }

    pub(crate) fn silenced(silences: &[Silence], member: &Member, at: Timestamp) -> bool {
        silences.iter().any(|it| it.is_active(at) && it.matcher.covers(member))
    }

    pub(crate) fn inhibited(&self, seat: Seat, member: &Member, roster: &Roster) -> bool {
        self.sources.iter().any(|(of, at)| {
            let (rule, Some(source)) = (&self.config.inhibit[*at], roster.get(*of)) else {
                return false;
            };
            // What is both source and target is not kept quiet by its like, or by itself.
            *of != seat
                && !covers_both(&rule.source, &rule.target, source, member)
                && rule.target.covers(member)
                && rule.equal.iter().all(|by| common(*by, source) == common(*by, member))
        })
    }
}

fn covers_both(source: &AlertMatcher, target: &AlertMatcher, one: &Member, other: &Member) -> bool {
    source.covers(other) && target.covers(one)
}

/// The value alerts of a group have in common.
pub(crate) fn common(by: GroupBy, member: &Member) -> Cow<'_, str> {
    match by {
        GroupBy::Site => member.alike.site.as_deref().unwrap_or("-").into(),
        GroupBy::Signal => member.alike.signal.as_str().into(),
        GroupBy::Rule => (&*member.alike.rule).into(),
        GroupBy::Selector => member.selector.as_str().into(),
        GroupBy::Alert => member.id().as_str().to_owned().into(),
    }
}

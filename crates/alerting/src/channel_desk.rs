use crate::DeliveryConfig;
use crate::bucket::Bucket;
use crate::channel::Style;
use crate::flap::Flapping;
use crate::group::Group;
use crate::incident::{Incidents, worst};
use crate::member::Member;
use crate::message::{Message, group_id, message_key, title};
use crate::post::{Look, Plan, Target, key_of};
use crate::roster::{Roster, Seat};
use crate::suppress::Rules;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{NoticeGroup, NotificationKind};
use telemetry_models::{Severity, Timestamp};

/// A group in which nothing may be told at present is looked at again after this.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Alertmanager forgets what it was told when it is restarted, so it is told again so often.
const SEND_AGAIN: Duration = Duration::from_secs(300);
/// Once so many alerts are told of, or so many groups, others have their turn in the next look, so
/// that messages and what is kept of groups do not lie in memory all at once.
const TOLD_AT_ONCE: usize = 5_000;
const GROUPS_AT_ONCE: usize = 4;
/// Most alerts in one message to a machine that takes every alert.
const CHUNK: usize = 250;

/// What one channel was told, and is to be told.
pub(crate) struct ChannelDesk {
    pub(crate) target: Target,
    pub(crate) groups: BTreeMap<Arc<str>, Group>,
    /// The group of each alert, by seat.
    places: Vec<Option<Arc<str>>>,
    bucket: Bucket,
    /// Whether the last look left groups to the next.
    pub(crate) unfinished: bool,
}

/// What a desk decides by.
#[derive(Clone, Copy)]
pub(crate) struct With<'a> {
    pub(crate) config: &'a DeliveryConfig,
    pub(crate) rules: &'a Rules,
    pub(crate) flapping: &'a Flapping,
    pub(crate) roster: &'a Roster,
}

impl ChannelDesk {
    pub(crate) fn new(target: Target, config: &DeliveryConfig) -> Self {
        let messages = match target.style {
            Style::People => config.limit_messages,
            Style::Machine | Style::Each => 0,
        };
        let bucket = Bucket::new(messages, config.limit_per);
        Self { target, groups: BTreeMap::new(), places: Vec::new(), bucket, unfinished: false }
    }

    /// The group of an alert.
    pub(crate) fn place(&self, seat: Seat) -> Option<&Arc<str>> {
        self.places.get(seat as usize)?.as_ref()
    }

    pub(crate) fn set_place(&mut self, seat: Seat, group: Option<&Arc<str>>) {
        let at = seat as usize;
        if group.is_some() && self.places.len() <= at {
            self.places.resize(at + 1, None);
        }
        if let Some(place) = self.places.get_mut(at) {
            *place = group.cloned();
        }
    }

    /// Moves alerts that were not told yet to the incident they belong to.
    pub(crate) fn gather(
        &mut self,
        config: &DeliveryConfig,
        incidents: &Incidents,
        roster: &Roster,
        by: &Member,
        ready_at: Timestamp,
    ) {
        let mut moved = Vec::new();
        for (key, group) in &mut self.groups {
            let belongs = |seat: &Seat| {
                group.entries.get(seat).is_some_and(Option::is_none)
                    && roster.get(*seat).is_some_and(|it| {
                        it.alike.site == by.alike.site && key_of(config, incidents, it) != *key
                    })
            };
            let seats: Vec<Seat> = group.fresh.iter().copied().filter(belongs).collect();
            let first = group.ready_at.unwrap_or(ready_at);
            for seat in seats {
                group.fresh.remove(&seat);
                moved.extend(group.entries.remove(&seat).map(|_| (seat, first)));
            }
            if group.fresh.is_empty() {
                group.ready_at = None;
            }
        }
        for (seat, first) in moved {
            let Some(member) = roster.get(seat) else { continue };
            let key = key_of(config, incidents, member);
            self.set_place(seat, Some(&key));
            let group = self.groups.entry(key).or_default();
            group.put(seat, member, first);
            group.ready_at = group.ready_at.map(|at| at.min(first));
        }
        self.groups.retain(|_, group| !group.entries.is_empty());
    }

    /// Decides what is told at this moment.
    pub(crate) fn look(&mut self, with: With<'_>, look: &Look<'_>, plan: &mut Plan) {
        let every = match self.target.style {
            Style::Each => SEND_AGAIN,
            Style::People | Style::Machine => with.config.repeat_interval,
        };
        let (mut over, mut told) = (Vec::new(), 0);
        self.unfinished = false;
        let keys: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for key in keys {
            if told >= TOLD_AT_ONCE && !look.force {
                self.unfinished = true;
                break;
            }
            let Some(group) = self.groups.get_mut(&key) else { continue };
            let repeat =
                !every.is_zero() && group.told_at.is_some_and(|at| look.now.since(at) >= every);
            let due = group.is_due(look.now);
            if !(due || repeat || (look.force && !group.fresh.is_empty())) {
                continue;
            }
            let news = news(group, repeat, with, look);
            if news.is_empty() {
                if !group.fresh.is_empty() {
                    group.ready_at = Some(look.now.saturating_add(LOOK_AGAIN));
                }
                if repeat {
                    group.told_at = Some(look.now);
                }
                continue;
            }
            let severity =
                worst(news.iter().filter_map(|seat| Some(with.roster.get(*seat)?.severity)));
            if self.bucket.take(look.now, severity == Severity::Critical) {
                told += news.len().max(TOLD_AT_ONCE / GROUPS_AT_ONCE);
                group.repeats += u32::from(repeat);
                self.tell(&key, news, with, look, plan);
            } else {
                over.push((key, news));
            }
        }
        if !over.is_empty() && (look.force || self.bucket.take_digest(look.now)) {
            self.digest(over, with, look, plan);
        }
    }

    fn tell(
        &mut self,
        key: &Arc<str>,
        news: Vec<Seat>,
        with: With<'_>,
        look: &Look<'_>,
        plan: &mut Plan,
    ) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let repeats = group.repeats;
        let told = news.len();
        let (firing, over) = settle(group, news, with.roster);
        let open = group.open_and_told(with.roster);
        let kinds = [(NotificationKind::Firing, firing), (NotificationKind::Resolved, over)];
        for (kind, mut members) in kinds {
            members.sort_by(|a, b| {
                (b.severity, a.fired_at, a.id()).cmp(&(a.severity, b.fired_at, b.id()))
            });
            let size = if self.target.style == Style::Each { CHUNK } else { members.len().max(1) };
            for part in members.chunks(size) {
                let shown = part.iter().take(self.target.shown.max(1)).map(|it| it.id());
                let mut title = title(key, part, with.config);
                if kind == NotificationKind::Firing
                    && part.iter().any(|it| with.flapping.begins_with(it))
                {
                    title += ": flapping; nothing more is told until it is calm";
                }
                let id = group_id(key);
                plan.messages.push(Message {
                    channel: self.target.name.clone(),
                    key: message_key(kind, part, repeats, key),
                    kind,
                    shown: shown.collect(),
                    group: Some(NoticeGroup { id, title, count: part.len() as u64, open }),
                });
            }
        }
        self.close(key, told, with, look, plan);
    }

    fn digest(
        &mut self,
        groups: Vec<(Arc<str>, Vec<Seat>)>,
        with: With<'_>,
        look: &Look<'_>,
        plan: &mut Plan,
    ) {
        let mut all: Vec<&Member> = Vec::new();
        let names = groups.len();
        for (key, news) in groups {
            let Some(group) = self.groups.get_mut(&key) else { continue };
            let told = news.len();
            let (firing, over) = settle(group, news, with.roster);
            all.extend(firing);
            all.extend(over);
            self.close(&key, told, with, look, plan);
        }
        all.sort_by(|a, b| {
            (b.open, b.severity, a.fired_at, a.id()).cmp(&(a.open, a.severity, b.fired_at, b.id()))
        });
        let firing = all.iter().filter(|it| it.open).count();
        let title = format!(
            "digest: {firing} alerts firing and {} resolved in {names} groups, more than this channel is told one by one",
            all.len() - firing
        );
        plan.messages.push(Message {
            channel: self.target.name.clone(),
            key: message_key(NotificationKind::Digest, &all, 0, "digest"),
            kind: NotificationKind::Digest,
            shown: all.iter().take(self.target.shown.max(1)).map(|it| it.id()).collect(),
            group: Some(NoticeGroup {
                id: "digest".into(),
                title,
                count: all.len() as u64,
                open: firing as u64,
            }),
        });
    }

    /// Forgets what is over, and keeps the rest.
    fn close(
        &mut self,
        key: &Arc<str>,
        told: usize,
        With { config, roster, .. }: With<'_>,
        look: &Look<'_>,
        plan: &mut Plan,
    ) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let is_news = |seat: &Seat, told: Option<Severity>| {
            roster.get(*seat).is_some_and(|it| it.is_news(told))
        };
        let entries = &group.entries;
        let held = group.fresh.iter().copied();
        let held: Vec<Seat> =
            held.filter(|it| entries.get(it).is_some_and(|told| is_news(it, *told))).collect();
        group.told(look.now, told, config.group_wait, config.group_interval);
        group.fresh.extend(held);
        if !group.fresh.is_empty() {
            group.ready_at = Some(look.now.saturating_add(LOOK_AGAIN));
        }
        let places = &mut self.places;
        group.entries.retain(|seat, told| {
            let kept = roster.get(*seat).is_some_and(|it| it.open || it.is_news(*told));
            if !kept {
                if let Some(place) = places.get_mut(*seat as usize) {
                    *place = None;
                }
                plan.left.push(*seat);
            }
            kept
        });
        let row = group.row(roster).map(|row| serde_json::to_string(&row));
        match row.transpose() {
            Ok(json) => plan.kept.push((format!("{}/{key}", self.target.name), json)),
            Err(error) => tracing::error!(group = &**key, %error, "cannot be written as JSON"),
        }
        // An empty group lives on while its spacing matters.
        if group.entries.is_empty() && group.spacing.is_zero() {
            self.groups.remove(key);
        }
    }
}

/// The alerts of a group that may be told now.
fn news(group: &Group, repeat: bool, with: With<'_>, look: &Look<'_>) -> Vec<Seat> {
    let With { rules, flapping, roster, .. } = with;
    let may = |seat: &Seat, told: Option<Severity>| {
        let Some(it) = roster.get(*seat) else { return false };
        if it.alike.system {
            return true;
        }
        if rules.muted(it, look.utc) || flapping.holds(it, told.is_some()) {
            return false;
        }
        // That something told is over is told in any case.
        let quiet = || {
            it.suppressed_until().is_some_and(|until| look.utc < until)
                || Rules::silenced(look.silences, it, look.utc)
                || rules.inhibited(*seat, it, roster)
        };
        !it.open || !quiet()
    };
    let again = |seat: &Seat, told: Option<Severity>| {
        let member = roster.get(*seat).filter(|_| repeat && told.is_some());
        member.is_some_and(|it| it.open && !it.acknowledged)
    };
    if repeat {
        let entries = group.entries.iter().map(|(seat, told)| (seat, *told));
        let all = entries.filter(|(seat, told)| again(seat, *told) || group.fresh.contains(*seat));
        return all.filter(|(seat, told)| may(seat, *told)).map(|(seat, _)| *seat).collect();
    }
    let fresh = group.fresh.iter().copied();
    fresh.filter(|seat| group.entries.get(seat).is_some_and(|told| may(seat, *told))).collect()
}

/// Notes that these are told; gives those that are open and those that are over.
fn settle<'a>(
    group: &mut Group,
    news: Vec<Seat>,
    roster: &'a Roster,
) -> (Vec<&'a Member>, Vec<&'a Member>) {
    let (mut firing, mut over) = (Vec::new(), Vec::new());
    for seat in news {
        let Some((told, member)) = group.entries.get_mut(&seat).zip(roster.get(seat)) else {
            continue;
        };
        group.fresh.remove(&seat);
        if member.open {
            *told = Some(member.severity);
            firing.push(member);
        } else {
            *told = None;
            over.push(member);
        }
    }
    (firing, over)
}

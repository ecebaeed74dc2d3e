use crate::DeliveryConfig;
use crate::bucket::Bucket;
use crate::channel::Style;
use crate::flap::Flapping;
use crate::group::{Entry, Group};
use crate::incident::{Incidents, worst};
use crate::member::Member;
use crate::message::{Message, group_id, message_key, title};
use crate::post::{Look, Plan, Target, key_of};
use crate::suppress::Rules;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{NoticeGroup, NotificationKind};
use telemetry_models::{AlertId, Severity, Timestamp};

/// A group in which nothing may be told at present is looked at again after this.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Alertmanager forgets what it was told when it is restarted, so it is told again so often.
const SEND_AGAIN: Duration = Duration::from_secs(300);
/// Most alerts in one message to a machine that takes every alert.
const CHUNK: usize = 250;

/// What one channel was told, and is to be told.
pub(crate) struct ChannelDesk {
    pub(crate) target: Target,
    pub(crate) groups: BTreeMap<Arc<str>, Group>,
    /// The group of each alert.
    pub(crate) places: HashMap<AlertId, Arc<str>>,
    bucket: Bucket,
}

impl ChannelDesk {
    pub(crate) fn new(target: Target, config: &DeliveryConfig) -> Self {
        let messages = match target.style {
            Style::People => config.limit_messages,
            Style::Machine | Style::Each => 0,
        };
        let bucket = Bucket::new(messages, config.limit_per);
        Self { target, groups: BTreeMap::new(), places: HashMap::new(), bucket }
    }

    /// Moves alerts that were not told yet to the incident they belong to.
    pub(crate) fn gather(
        &mut self,
        config: &DeliveryConfig,
        incidents: &Incidents,
        by: &Member,
        ready_at: Timestamp,
    ) {
        let mut moved = Vec::new();
        for (key, group) in &mut self.groups {
            let belongs = |entry: &Entry| {
                entry.told.is_none()
                    && entry.member.site == by.site
                    && key_of(config, incidents, &entry.member) != *key
            };
            let ids: Vec<AlertId> = group
                .fresh
                .iter()
                .filter(|id| group.entries.get(*id).is_some_and(belongs))
                .cloned()
                .collect();
            let first = group.ready_at.unwrap_or(ready_at);
            for id in ids {
                group.fresh.remove(&id);
                moved.extend(group.entries.remove(&id).map(|entry| (entry.member, first)));
            }
            if group.fresh.is_empty() {
                group.ready_at = None;
            }
        }
        for (member, first) in moved {
            let key = key_of(config, incidents, &member);
            self.places.insert(member.id.clone(), Arc::clone(&key));
            let group = self.groups.entry(key).or_default();
            group.put(member, first);
            group.ready_at = group.ready_at.map(|at| at.min(first));
        }
        self.groups.retain(|_, group| !group.entries.is_empty());
    }

    /// Decides what is told at this moment.
    pub(crate) fn look(
        &mut self,
        config: &DeliveryConfig,
        rules: &Rules,
        flapping: &Flapping,
        look: &Look<'_>,
        plan: &mut Plan,
    ) {
        let every = match self.target.style {
            Style::Each => SEND_AGAIN,
            Style::People | Style::Machine => config.repeat_interval,
        };
        let mut over = Vec::new();
        let keys: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for key in keys {
            let Some(group) = self.groups.get_mut(&key) else { continue };
            let repeat =
                !every.is_zero() && group.told_at.is_some_and(|at| look.now.since(at) >= every);
            let due = group.is_due(look.now);
            if !(due || repeat || (look.force && !group.fresh.is_empty())) {
                continue;
            }
            let news = news(group, repeat, rules, flapping, look);
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
                worst(news.iter().filter_map(|id| Some(group.entries.get(id)?.member.severity)));
            if self.bucket.take(look.now, severity == Severity::Critical) {
                group.repeats += u32::from(repeat);
                self.tell(&key, news, config, flapping, look, plan);
            } else {
                over.push((key, news));
            }
        }
        if !over.is_empty() && (look.force || self.bucket.take_digest(look.now)) {
            self.digest(over, config, look, plan);
        }
    }

    fn tell(
        &mut self,
        key: &Arc<str>,
        news: Vec<AlertId>,
        config: &DeliveryConfig,
        flapping: &Flapping,
        look: &Look<'_>,
        plan: &mut Plan,
    ) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let repeats = group.repeats;
        let told = news.len();
        let (firing, over) = settle(group, news);
        let open = group.open_and_told();
        let kinds = [(NotificationKind::Firing, firing), (NotificationKind::Resolved, over)];
        for (kind, mut members) in kinds {
            members.sort_by(|a, b| {
                (b.severity, a.fired_at, &a.id).cmp(&(a.severity, b.fired_at, &b.id))
            });
            let size = if self.target.style == Style::Each { CHUNK } else { members.len().max(1) };
            for part in members.chunks(size) {
                let shown = part.iter().take(self.target.shown.max(1)).map(|it| it.id.clone());
                let mut title = title(key, part, config);
                if kind == NotificationKind::Firing
                    && part.iter().any(|it| flapping.begins_with(it))
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
        self.close(key, told, config, look, plan);
    }

    fn digest(
        &mut self,
        groups: Vec<(Arc<str>, Vec<AlertId>)>,
        config: &DeliveryConfig,
        look: &Look<'_>,
        plan: &mut Plan,
    ) {
        let mut all: Vec<Arc<Member>> = Vec::new();
        let names = groups.len();
        for (key, news) in groups {
            let Some(group) = self.groups.get_mut(&key) else { continue };
            let told = news.len();
            let (firing, over) = settle(group, news);
            all.extend(firing);
            all.extend(over);
            self.close(&key, told, config, look, plan);
        }
        all.sort_by(|a, b| {
            (b.open, b.severity, a.fired_at, &a.id).cmp(&(a.open, a.severity, b.fired_at, &b.id))
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
            shown: all.iter().take(self.target.shown.max(1)).map(|it| it.id.clone()).collect(),
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
        config: &DeliveryConfig,
        look: &Look<'_>,
        plan: &mut Plan,
    ) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let held: Vec<AlertId> = group
            .fresh
            .iter()
            .filter(|id| group.entries.get(*id).is_some_and(Entry::has_news))
            .cloned()
            .collect();
        group.told(look.now, told, config.group_wait, config.group_interval);
        group.fresh.extend(held);
        if !group.fresh.is_empty() {
            group.ready_at = Some(look.now.saturating_add(LOOK_AGAIN));
        }
        let places = &mut self.places;
        group.entries.retain(|id, entry| {
            let kept = entry.member.open || entry.has_news();
            if !kept {
                places.remove(id);
            }
            kept
        });
        plan.kept.push((format!("{}/{key}", self.target.name), group.row()));
        // An empty group lives on while its spacing matters.
        if group.entries.is_empty() && group.spacing.is_zero() {
            self.groups.remove(key);
        }
    }
}

/// The alerts of a group that may be told now.
fn news(
    group: &Group,
    repeat: bool,
    rules: &Rules,
    flapping: &Flapping,
    look: &Look<'_>,
) -> Vec<AlertId> {
    let may = |entry: &Entry| {
        let it = &entry.member;
        if it.system {
            return true;
        }
        if rules.muted(it, look.utc) || flapping.holds(it, entry.told.is_some()) {
            return false;
        }
        // That something told is over is told in any case.
        let quiet = || {
            it.suppressed_until.is_some_and(|until| look.utc < until)
                || Rules::silenced(look.silences, it, look.utc)
                || rules.inhibited(it)
        };
        !it.open || !quiet()
    };
    let told = |entry: &Entry| {
        repeat && entry.member.open && entry.told.is_some() && !entry.member.acknowledged
    };
    let entries = group.entries.iter();
    if repeat {
        let all = entries.filter(|(id, entry)| told(entry) || group.fresh.contains(*id));
        return all.filter(|(_, entry)| may(entry)).map(|(id, _)| id.clone()).collect();
    }
    let fresh = group.fresh.iter().filter(|id| group.entries.get(*id).is_some_and(may));
    fresh.cloned().collect()
}

/// Notes that these are told; gives those that are open and those that are over.
fn settle(group: &mut Group, news: Vec<AlertId>) -> (Vec<Arc<Member>>, Vec<Arc<Member>>) {
    let (mut firing, mut over) = (Vec::new(), Vec::new());
    for id in news {
        let Some(entry) = group.entries.get_mut(&id) else { continue };
        group.fresh.remove(&id);
        if entry.member.open {
            entry.told = Some(entry.member.severity);
            firing.push(Arc::clone(&entry.member));
        } else {
            entry.told = None;
            over.push(Arc::clone(&entry.member));
        }
    }
    (firing, over)
}

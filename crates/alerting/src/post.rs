use crate::bucket::Bucket;
use crate::channel::Style;
use crate::flap::Flapping;
use crate::group::{Entry, Group, GroupRow};
use crate::incident::{Incidents, worst};
use crate::member::Member;
use crate::suppress::{Rules, common};
use crate::{DeliveryConfig, Silence};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{NoticeGroup, NotificationKind, Result};
use telemetry_models::{AlertId, AlertState, AlertTransition, ChangeCause, Severity, Timestamp};

/// A group in which nothing may be told at present is looked at again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Alertmanager forgets what it was told when it is restarted, so it is told again so often.
const SEND_AGAIN: Duration = Duration::from_secs(300);
/// Most alerts in one message to a machine that takes every alert.
const CHUNK: usize = 250;

/// Decides what each channel is told, and when. No I/O: the time comes in, messages go out.
pub(crate) struct Post {
    config: DeliveryConfig,
    rules: Rules,
    flapping: Flapping,
    incidents: Incidents,
    desks: Vec<ChannelDesk>,
    calm_at: Option<Timestamp>,
}

/// What the planner knows of a channel.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) min_severity: Severity,
    pub(crate) style: Style,
    pub(crate) shown: usize,
}

struct ChannelDesk {
    target: Target,
    groups: BTreeMap<Arc<str>, Group>,
    /// The group of each alert.
    places: HashMap<AlertId, Arc<str>>,
    bucket: Bucket,
}

/// A message for a channel, without the alerts' texts.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) channel: String,
    pub(crate) key: String,
    pub(crate) kind: NotificationKind,
    pub(crate) shown: Vec<AlertId>,
    pub(crate) group: Option<NoticeGroup>,
}

/// What is to be kept of a group; `None` when there is nothing any more.
pub(crate) type Kept = (String, Option<GroupRow>);

/// What a look at the time gave.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) messages: Vec<Message>,
    pub(crate) kept: Vec<Kept>,
}

/// The moment of a look, and what holds then.
pub(crate) struct Look<'a> {
    /// Never goes back.
    pub(crate) now: Timestamp,
    /// What the calendar shows.
    pub(crate) utc: Timestamp,
    pub(crate) silences: &'a [Silence],
    /// Tell everything that may be told, however lately the group was.
    pub(crate) force: bool,
    /// Channels that have enough to send already.
    pub(crate) full: &'a [String],
}

impl Post {
    pub(crate) fn new(config: &DeliveryConfig, targets: Vec<Target>) -> Result<Self> {
        let bucket = |target: &Target| match target.style {
            Style::People => Bucket::new(config.limit_messages, config.limit_per),
            Style::Machine | Style::Each => Bucket::new(0, config.limit_per),
        };
        Ok(Self {
            rules: Rules::new(config)?,
            flapping: Flapping::new(config.flap_firings, config.flap_within),
            incidents: Incidents::new(config.incident_selectors, config.incident_within),
            desks: targets
                .into_iter()
                .map(|target| ChannelDesk {
                    bucket: bucket(&target),
                    target,
                    groups: BTreeMap::new(),
                    places: HashMap::new(),
                })
                .collect(),
            config: config.clone(),
            calm_at: None,
        })
    }

    /// Whether every change is to be told by itself.
    pub(crate) fn is_immediate(&self) -> bool {
        self.config.group_wait.is_zero() && self.config.group_interval.is_zero()
    }

    /// Takes over what an earlier run had told, before the alerts themselves.
    pub(crate) fn recall(
        &mut self,
        rows: impl IntoIterator<Item = (String, GroupRow)>,
        alerts: &[Member],
    ) {
        let members: HashMap<&AlertId, &Member> = alerts.iter().map(|it| (&it.id, it)).collect();
        for (key, row) in rows {
            let Some((channel, group)) = key.split_once('/') else { continue };
            let Some(desk) = self.desks.iter_mut().find(|it| it.target.name == channel) else {
                continue;
            };
            let key: Arc<str> = group.into();
            let mut group = Group {
                told_at: row.told_at,
                spacing: Duration::from_millis(row.spacing_ms),
                repeats: row.repeats,
                ..Group::default()
            };
            for (id, told) in row.told {
                let Some(member) = members.get(&id) else { continue };
                let entry = Entry { member: Arc::new(Member::clone(member)), told: Some(told) };
                group.entries.insert(id.clone(), entry);
                desk.places.insert(id, Arc::clone(&key));
            }
            desk.groups.insert(key, group);
        }
        for member in alerts {
            let told = self.desks.iter().any(|desk| desk.places.contains_key(&member.id));
            if member.open || told {
                self.place(member.clone(), Timestamp::MIN, Timestamp::MIN);
            }
        }
    }

    /// Takes a change.
    pub(crate) fn change(&mut self, change: &AlertTransition, look: &Look<'_>) {
        let alert = &change.alert;
        if matches!(alert.state, AlertState::Pending | AlertState::Inactive) {
            return;
        }
        let fires = alert.state == AlertState::Firing
            && !matches!(change.from, AlertState::Firing | AlertState::Recovering);
        if fires {
            self.flapping.fired(&alert.fingerprint, &alert.id, look.now);
        }
        let ready_at = look.now.saturating_add(self.config.group_wait);
        let mut member = Member::of(alert);
        if change.cause == ChangeCause::Heartbeat {
            member.heartbeat = Some(change.at.as_millis());
        }
        self.place(member, ready_at, look.utc);
    }

    fn place(&mut self, member: Member, ready_at: Timestamp, utc: Timestamp) {
        self.rules.note(&member);
        let begins = self.incidents.note(&member);
        let member = Arc::new(member);
        for desk in &mut self.desks {
            let known = desk.places.get(&member.id).cloned();
            if known.is_none() {
                let wanted = member.severity >= desk.target.min_severity
                    && self.rules.routed(&desk.target.name, &member, utc);
                if !wanted || !member.open {
                    continue;
                }
            }
            let key = known.unwrap_or_else(|| key_of(&self.config, &self.incidents, &member));
            let group = desk.groups.entry(Arc::clone(&key)).or_default();
            group.put(Arc::clone(&member), ready_at);
            if group.entries.contains_key(&member.id) {
                desk.places.insert(member.id.clone(), key);
            } else {
                desk.places.remove(&member.id);
            }
            if begins {
                desk.gather(&self.config, &self.incidents, &member, ready_at);
            }
        }
    }

    /// Whether there may be something to tell later.
    pub(crate) fn waits(&self) -> bool {
        let busy = |group: &Group| !group.fresh.is_empty();
        self.desks.iter().any(|desk| desk.groups.values().any(busy))
    }

    /// What is to be told at this moment.
    pub(crate) fn look(&mut self, look: &Look<'_>) -> Plan {
        if self.calm_at.is_none_or(|at| look.now >= at) {
            self.calm_at = Some(look.now.saturating_add(LOOK_AGAIN));
            self.flapping.calm(look.now);
        }
        let mut plan = Plan::default();
        for desk in &mut self.desks {
            if !look.full.contains(&desk.target.name) || look.force {
                desk.look(&self.config, &self.rules, &self.flapping, look, &mut plan);
            }
        }
        plan
    }
}

fn key_of(config: &DeliveryConfig, incidents: &Incidents, member: &Member) -> Arc<str> {
    match incidents.of(member) {
        Some(incident) => Arc::clone(incident),
        None => {
            let parts: Vec<_> = config.group_by.iter().map(|by| common(*by, member)).collect();
            parts.join(" ").into()
        }
    }
}

impl ChannelDesk {
    /// Moves alerts that were not told yet to the incident they belong to.
    fn gather(
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

    fn look(
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
        self.close(key, config, look, plan);
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
            let (firing, over) = settle(group, news);
            all.extend(firing);
            all.extend(over);
            self.close(&key, config, look, plan);
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
    fn close(&mut self, key: &Arc<str>, config: &DeliveryConfig, look: &Look<'_>, plan: &mut Plan) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let held: Vec<AlertId> = group
            .fresh
            .iter()
            .filter(|id| group.entries.get(*id).is_some_and(Entry::has_news))
            .cloned()
            .collect();
        group.told(look.now, config.group_wait, config.group_interval);
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

fn title(key: &str, members: &[Arc<Member>], config: &DeliveryConfig) -> String {
    if let Some((incident, _)) = key.split_once(" #") {
        return format!("{incident}, {} selectors", members.len());
    }
    let Some(first) = members.first() else { return key.to_owned() };
    if members.len() == 1 {
        return first.selector.to_string();
    }
    let common: Vec<_> = config.group_by.iter().map(|by| common(*by, first)).collect();
    format!("{} alerts: {}", members.len(), common.join(", "))
}

/// One alert by itself has the key it had in every version; several have one made of what is told,
/// so that the same message has the same key.
fn message_key(
    kind: NotificationKind,
    members: &[Arc<Member>],
    repeats: u32,
    group: &str,
) -> String {
    let again = if repeats > 0 { format!("-repeat{repeats}") } else { String::new() };
    if let [one] = members {
        let mut key = match kind {
            NotificationKind::Firing => format!("{}-firing-{}", one.id, one.severity),
            NotificationKind::Resolved => format!("{}-resolved", one.id),
            NotificationKind::Digest | NotificationKind::Test => format!("{}-digest", one.id),
        };
        if one.reopened > 0 {
            key += &format!("-again{}", one.reopened);
        }
        if let Some(at) = one.heartbeat {
            key += &format!("-{at}");
        }
        return key + &again;
    }
    let reopened: u32 = members.iter().map(|it| it.reopened).sum();
    let again = if reopened > 0 { format!("-again{reopened}{again}") } else { again };
    let parts = members.iter().flat_map(|it| {
        [it.id.as_str(), it.severity.as_str(), if it.open { "firing" } else { "resolved" }]
    });
    let hash = fnv(parts.chain([group]));
    match kind {
        NotificationKind::Firing => format!("group-{hash:016x}-firing{again}"),
        NotificationKind::Resolved => format!("group-{hash:016x}-resolved{again}"),
        NotificationKind::Digest | NotificationKind::Test => format!("digest-{hash:016x}"),
    }
}

/// A group's name within 200 bytes.
fn group_id(key: &str) -> String {
    if key.len() <= 180 { key.to_owned() } else { format!("group-{:016x}", fnv([key])) }
}

/// 64-bit FNV-1a over the parts, each ended by a zero.
pub(crate) fn fnv<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in parts.into_iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

#[cfg(test)]
mod tests;

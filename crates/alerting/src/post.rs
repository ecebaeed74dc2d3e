use crate::channel::Style;
use crate::channel_desk::{ChannelDesk, LOOK_AGAIN};
use crate::flap::Flapping;
use crate::group::{Entry, Group, GroupRow};
use crate::incident::Incidents;
use crate::member::Member;
use crate::message::Message;
use crate::suppress::{Rules, common};
use crate::{DeliveryConfig, Silence};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::Result;
use telemetry_models::{AlertId, AlertState, AlertTransition, ChangeCause, Severity, Timestamp};

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
        Ok(Self {
            rules: Rules::new(config)?,
            flapping: Flapping::new(config.flap_firings, config.flap_within),
            incidents: Incidents::new(config.incident_selectors, config.incident_within),
            desks: targets.into_iter().map(|target| ChannelDesk::new(target, config)).collect(),
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
                lately: row.lately,
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

/// The group an alert belongs to.
pub(crate) fn key_of(config: &DeliveryConfig, incidents: &Incidents, member: &Member) -> Arc<str> {
    match incidents.of(member) {
        Some(incident) => Arc::clone(incident),
        None => {
            let parts: Vec<_> = config.group_by.iter().map(|by| common(*by, member)).collect();
            parts.join(" ").into()
        }
    }
}

#[cfg(test)]
mod tests;

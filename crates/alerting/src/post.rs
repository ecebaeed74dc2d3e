use crate::channel::Style;
use crate::channel_desk::{ChannelDesk, LOOK_AGAIN, With};
use crate::flap::Flapping;
use crate::group::{Group, GroupRow};
use crate::incident::Incidents;
use crate::member::Member;
use crate::message::Message;
use crate::roster::{Roster, Seat};
use crate::suppress::{Rules, common};
use crate::{DeliveryConfig, Silence};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::Result;
use telemetry_models::{
    Alert, AlertId, AlertState, AlertTransition, ChangeCause, Severity, Timestamp,
};

/// Decides what each channel is told, and when. No I/O: the time comes in, messages go out.
pub(crate) struct Post {
    config: DeliveryConfig,
    roster: Roster,
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

/// What is to be kept of a group, a [`GroupRow`] as JSON, which takes a fraction of the memory;
/// `None` when there is nothing any more.
pub(crate) type Kept = (String, Option<String>);

/// What a look at the time gave.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) messages: Vec<Message>,
    pub(crate) kept: Vec<Kept>,
    /// Alerts that a channel is not to be told of any more.
    pub(crate) left: Vec<Seat>,
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
            roster: Roster::default(),
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
    pub(crate) fn recall<'a>(
        &mut self,
        rows: impl IntoIterator<Item = (String, GroupRow)>,
        alerts: impl IntoIterator<Item = &'a Alert>,
    ) {
        let alerts: HashMap<&AlertId, &Alert> =
            alerts.into_iter().map(|alert| (&alert.id, alert)).collect();
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
                let Some(alert) = alerts.get(&id) else { continue };
                let (seat, _) = self.roster.put(alert, None);
                group.entries.insert(seat, Some(told));
                desk.set_place(seat, Some(&key));
            }
            desk.groups.insert(key, group);
        }
        for alert in alerts.into_values() {
            if alert.state.is_open() || self.roster.seat(&alert.id).is_some() {
                self.place(alert, None, Timestamp::MIN, Timestamp::MIN);
            }
        }
    }

    /// Takes a change.
    pub(crate) fn change(&mut self, change: &AlertTransition, look: &Look<'_>) {
        let alert = &change.alert;
        if matches!(alert.state, AlertState::Pending | AlertState::Inactive) {
            return;
        }
        let ready_at = look.now.saturating_add(self.config.group_wait);
        let heartbeat = change.cause == ChangeCause::Heartbeat;
        let heartbeat = heartbeat.then(|| change.at.as_millis());
        let seat = self.place(alert, heartbeat, ready_at, look.utc);
        let fires = alert.state == AlertState::Firing
            && !matches!(change.from, AlertState::Firing | AlertState::Recovering);
        if fires && let Some(member) = self.roster.get(seat) {
            self.flapping.fired(member, look.now);
        }
    }

    fn place(
        &mut self,
        alert: &Alert,
        heartbeat: Option<i64>,
        ready_at: Timestamp,
        utc: Timestamp,
    ) -> Seat {
        let (seat, before) = self.roster.put(alert, heartbeat);
        let Some(member) = self.roster.get(seat) else { return seat };
        if let Some(before) = before.filter(|before| before.alike != member.alike) {
            self.incidents.forget(seat, &before);
        }
        self.rules.note(seat, member);
        let begins = self.incidents.note(seat, member, &self.roster);
        for desk in &mut self.desks {
            let known = desk.place(seat).cloned();
            if known.is_none() {
                let wanted = member.severity >= desk.target.min_severity
                    && self.rules.routed(&desk.target.name, member, utc);
                if !wanted || !member.open {
                    continue;
                }
            }
            let key = known.unwrap_or_else(|| key_of(&self.config, &self.incidents, member));
            let group = desk.groups.entry(Arc::clone(&key)).or_default();
            group.put(seat, member, ready_at);
            let placed = group.entries.contains_key(&seat);
            desk.set_place(seat, placed.then_some(&key));
            if begins {
                desk.gather(&self.config, &self.incidents, &self.roster, member, ready_at);
            }
        }
        self.leave(seat);
        seat
    }

    /// Lets an alert go that is over and that no channel is to be told of any more.
    fn leave(&mut self, seat: Seat) {
        let Some(member) = self.roster.get(seat).filter(|it| !it.open) else { return };
        if self.desks.iter().all(|desk| desk.place(seat).is_none()) {
            self.incidents.forget(seat, member);
            self.roster.release(seat);
        }
    }

    /// Whether there may be something to tell later.
    pub(crate) fn waits(&self) -> bool {
        let busy = |group: &Group| !group.fresh.is_empty();
        self.desks.iter().any(|desk| desk.groups.values().any(busy))
    }

    /// Whether the last look left something to the next, which is to come at once.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.desks.iter().any(|desk| desk.unfinished)
    }

    /// Whether a channel was told of something that is open: it is told again in time.
    pub(crate) fn repeats(&self) -> bool {
        self.desks.iter().any(|desk| desk.groups.values().any(|group| !group.entries.is_empty()))
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
                let with = With {
                    config: &self.config,
                    rules: &self.rules,
                    flapping: &self.flapping,
                    roster: &self.roster,
                };
                desk.look(with, look, &mut plan);
            } else {
                desk.unfinished = false;
            }
        }
        for seat in std::mem::take(&mut plan.left) {
            self.leave(seat);
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

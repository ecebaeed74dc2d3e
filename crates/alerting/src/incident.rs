use crate::member::Member;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{AlertId, Severity, Signal, Timestamp};

/// Sites on which many selectors fail together.
#[derive(Debug)]
pub(crate) struct Incidents {
    selectors: u32,
    within: Duration,
    sites: HashMap<Arc<str>, Site>,
}

#[derive(Debug, Default)]
struct Site {
    open: BTreeMap<AlertId, (Arc<str>, Timestamp)>,
    incident: Option<Arc<str>>,
}

/// Whether an alert says that its selector cannot be used on the page at all.
fn is_failure(member: &Member) -> bool {
    matches!(
        member.signal,
        Signal::SuccessRate
            | Signal::ErrorRate
            | Signal::ZeroMatchRate
            | Signal::TimeoutRate
            | Signal::EnvironmentFaultRate
    )
}

impl Incidents {
    pub(crate) fn new(selectors: u32, within: Duration) -> Self {
        Self { selectors, within, sites: HashMap::new() }
    }

    /// Takes an alert's change. Whether an incident began with it: alerts of the site that were not
    /// announced yet belong to it then.
    pub(crate) fn note(&mut self, member: &Member) -> bool {
        let (Some(site), true) = (&member.site, self.selectors > 0 && is_failure(member)) else {
            return false;
        };
        let at = self.sites.entry(Arc::clone(site)).or_default();
        if !member.open {
            at.open.remove(&member.id);
            if at.open.is_empty() {
                self.sites.remove(site);
            }
            return false;
        }
        at.open.insert(member.id.clone(), (member.selector.shared(), member.fired_at));
        if at.incident.is_some() {
            return false;
        }
        let near = |fired: Timestamp| {
            fired.since(member.fired_at).max(member.fired_at.since(fired)) <= self.within
        };
        let mut names: Vec<&str> =
            at.open.values().filter(|(_, fired)| near(*fired)).map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < self.selectors as usize {
            return false;
        }
        let kind = match member.signal {
            Signal::EnvironmentFaultRate if member.blocked => "site blocked",
            Signal::EnvironmentFaultRate => "navigation failing",
            _ => "page redesigned",
        };
        at.incident = Some(format!("{kind}: {site} #{}", member.fired_at.as_millis()).into());
        true
    }

    /// The incident an alert belongs to.
    pub(crate) fn of(&self, member: &Member) -> Option<&Arc<str>> {
        if self.selectors == 0 || !is_failure(member) {
            return None;
        }
        self.sites.get(member.site.as_ref()?)?.incident.as_ref()
    }
}

/// The worst of some severities.
pub(crate) fn worst(severities: impl Iterator<Item = Severity>) -> Severity {
    severities.max().unwrap_or(Severity::Low)
}

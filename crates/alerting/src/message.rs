use crate::DeliveryConfig;
use crate::member::Member;
use crate::suppress::common;
use telemetry_interfaces::{NoticeGroup, NotificationKind};
use telemetry_models::AlertId;

/// A message for a channel, without the alerts' texts.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) channel: String,
    pub(crate) key: String,
    pub(crate) kind: NotificationKind,
    pub(crate) shown: Vec<AlertId>,
    pub(crate) group: Option<NoticeGroup>,
}

/// What a message's alerts have in common, in one line.
pub(crate) fn title(key: &str, members: &[&Member], config: &DeliveryConfig) -> String {
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
pub(crate) fn message_key(
    kind: NotificationKind,
    members: &[&Member],
    repeats: u32,
    group: &str,
) -> String {
    let again = if repeats > 0 { format!("-repeat{repeats}") } else { String::new() };
    if let [one] = members {
        let mut key = match kind {
            NotificationKind::Firing => format!("{}-firing-{}", one.id(), one.severity),
            NotificationKind::Resolved => format!("{}-resolved", one.id()),
            // A receiver that goes by keys must not take the end for what it has been told.
            NotificationKind::Digest | NotificationKind::Test => {
                format!("{}-digest-{}-{}", one.id(), state(one), one.severity)
            }
        };
        if one.reopened() > 0 {
            key += &format!("-again{}", one.reopened());
        }
        if let Some(at) = one.heartbeat() {
            key += &format!("-{at}");
        }
        return key + &again;
    }
    let reopened: u32 = members.iter().map(|it| it.reopened()).sum();
    let again = if reopened > 0 { format!("-again{reopened}{again}") } else { again };
    let mut hash = FNV;
    for it in members {
        hash = fnv_on(hash, [it.id().as_str(), it.severity.as_str(), state(it)]);
    }
    let hash = fnv_on(hash, [group]);
    match kind {
        NotificationKind::Firing => format!("group-{hash:016x}-firing{again}"),
        NotificationKind::Resolved => format!("group-{hash:016x}-resolved{again}"),
        NotificationKind::Digest | NotificationKind::Test => format!("digest-{hash:016x}{again}"),
    }
}

fn state(member: &Member) -> &'static str {
    if member.open { "firing" } else { "resolved" }
}

/// A group's name within 200 bytes.
pub(crate) fn group_id(key: &str) -> String {
    if key.len() <= 180 { key.to_owned() } else { format!("group-{:016x}", fnv([key])) }
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// 64-bit FNV-1a over the parts, each ended by a zero.
pub(crate) fn fnv<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    fnv_on(FNV, parts)
}

fn fnv_on<'a>(mut hash: u64, parts: impl IntoIterator<Item = &'a str>) -> u64 {
    for byte in parts.into_iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

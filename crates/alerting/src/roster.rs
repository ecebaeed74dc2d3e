use crate::member::{Alike, Member};
use hashbrown::HashTable;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;
use telemetry_models::{Alert, AlertId};

type Hasher = foldhash::fast::RandomState;

/// An alert of a [`Roster`], until it is let go.
pub(crate) type Seat = u32;

/// The alerts that delivery has to do with, each once however many channels and groups it is in;
/// they refer to it by its seat.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    members: Vec<Option<Member>>,
    free: Vec<Seat>,
    seats: HashTable<Seat>,
    alike: HashSet<Arc<Alike>, Hasher>,
    hasher: Hasher,
}

impl Roster {
    /// The seat of an alert.
    pub(crate) fn seat(&self, id: &AlertId) -> Option<Seat> {
        let is = |seat: &Seat| self.get(*seat).is_some_and(|it| it.id() == *id);
        self.seats.find(self.hasher.hash_one(Some(id)), is).copied()
    }

    /// The alert of a seat; `None` when it was let go.
    pub(crate) fn get(&self, seat: Seat) -> Option<&Member> {
        self.members.get(seat as usize)?.as_ref()
    }

    /// Takes an alert as it is now; gives its seat, and what it was before.
    pub(crate) fn put(&mut self, alert: &Alert, heartbeat: Option<i64>) -> (Seat, Option<Member>) {
        let member = Member::of(alert, self.alike(Alike::of(alert)), heartbeat);
        if let Some(seat) = self.seat(&alert.id) {
            return (seat, self.members[seat as usize].replace(member));
        }
        let seat = self.free.pop().unwrap_or_else(|| {
            self.members.push(None);
            (self.members.len() - 1) as Seat
        });
        self.members[seat as usize] = Some(member);
        let (members, hasher) = (&self.members, &self.hasher);
        let hash_of =
            |seat: &Seat| hasher.hash_one(members[*seat as usize].as_ref().map(Member::id));
        self.seats.insert_unique(self.hasher.hash_one(Some(&alert.id)), seat, hash_of);
        (seat, None)
    }

    fn alike(&mut self, alike: Alike) -> Arc<Alike> {
        if let Some(known) = self.alike.get(&alike) {
            return Arc::clone(known);
        }
        if self.alike.len() == self.alike.capacity() {
            self.alike.retain(|it| Arc::strong_count(it) > 1);
        }
        let alike = Arc::new(alike);
        self.alike.insert(Arc::clone(&alike));
        alike
    }

    /// Lets an alert go.
    pub(crate) fn release(&mut self, seat: Seat) {
        let Some(member) = self.members.get_mut(seat as usize).and_then(Option::take) else {
            return;
        };
        let hash = self.hasher.hash_one(Some(member.id()));
        if let Ok(entry) = self.seats.find_entry(hash, |it| *it == seat) {
            entry.remove();
        }
        self.free.push(seat);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::{fingerprint, id};
    use telemetry_models::{SelectorName, Signal, Timestamp};

    fn alert(selector: &str, id: String) -> Alert {
        let name = SelectorName::new(selector).unwrap();
        Alert {
            fingerprint: fingerprint("rule", selector, None).into(),
            ..Alert::new(
                AlertId::new(id).unwrap(),
                "rule",
                name,
                Signal::ErrorRate,
                Timestamp::from_millis(0),
            )
        }
    }

    #[test]
    fn an_alert_keeps_its_seat_and_its_id_until_it_is_let_go() {
        let mut roster = Roster::default();
        let print = fingerprint("rule", "shop.price", None);
        let ids =
            [id(&print, 7), id(&print, -7), "of-another-form".to_owned(), format!("{print}-")];
        let alerts = ids.map(|id| alert("shop.price", id));
        let seats = alerts.each_ref().map(|it| roster.put(it, None).0);
        for (alert, seat) in alerts.iter().zip(seats) {
            assert_eq!(roster.get(seat).unwrap().id(), alert.id);
            assert_eq!(roster.seat(&alert.id), Some(seat));
            assert_eq!(roster.put(alert, None).0, seat);
        }
        assert_eq!(roster.alike.len(), 1);
        roster.release(seats[1]);
        roster.release(seats[1]);
        assert_eq!((roster.seat(&alerts[1].id), roster.get(seats[1]).is_none()), (None, true));
        assert_eq!(roster.put(&alert("shop.name", "new".into()), None), (seats[1], None));
        assert_eq!(roster.seat(&alerts[0].id), Some(seats[0]));
    }
}

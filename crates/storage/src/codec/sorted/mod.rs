//! Version 2: events sorted by selector, in blocks of rows that share a dictionary.
//!
//! A stripe is what some ten thousand events became: a dictionary, a filter of their identifiers,
//! and blocks of rows. Columns are coded by [`numbers`], not by bincode; descriptions are.

mod dictionary;
mod filter;
mod numbers;
mod rows;
mod stripe;
mod v2;

pub(crate) use dictionary::Dictionary;
pub(crate) use filter::{Key, LINE};
pub(crate) use numbers::Unpacker;
pub(crate) use rows::{RowKeys, Rows};
pub(crate) use stripe::{Stripe, StripeEncoder};
#[cfg(feature = "parquet")]
pub(crate) use stripe::{describe, identities, order};
pub(crate) use v2::{DictionaryMetaV2, RowsMetaV2};

use super::{Fault, decode, encode};

impl RowsMetaV2 {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        decode(bytes, "block description")
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        encode(self, &mut bytes)?;
        Ok(bytes)
    }
}

impl DictionaryMetaV2 {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        decode(bytes, "dictionary description")
    }
}

#[cfg(test)]
mod tests {
    use super::{Dictionary, RowKeys, Rows, StripeEncoder, Unpacker};
    use proptest::prelude::*;
    use std::sync::Arc;
    use telemetry_interfaces::Parts;
    use telemetry_models::Event;
    use telemetry_testkit::{EventGenerator, GeneratorConfig, arbitrary_event};

    /// Encodes and decodes; gives the events back in the order of selector and time.
    fn there_and_back(events: &[Event]) -> (Vec<Event>, usize) {
        let stripe = StripeEncoder::new().unwrap().encode(events).unwrap();
        let mut unpacker = Unpacker::new().unwrap();
        let dictionary = Dictionary::from_bytes(&stripe.dictionary.1, &mut unpacker).unwrap();
        let dictionary = Arc::new(dictionary);
        let mut bytes = stripe.filter.len() + stripe.dictionary.0.len() + stripe.dictionary.1.len();
        let mut found = Vec::new();
        for (meta, body) in &stripe.rows {
            bytes += meta.to_bytes().unwrap().len() + body.len();
            let keys = RowKeys::new(meta, body, &mut unpacker).unwrap();
            let rows =
                Rows::new(keys, meta, Arc::clone(&dictionary), &mut unpacker, Parts::ALL).unwrap();
            found.extend((0..meta.events as usize).map(|row| rows.event(row).unwrap()));
        }
        (found, bytes)
    }

    fn sorted(events: &[Event]) -> Vec<Event> {
        let mut sorted = events.to_vec();
        sorted.sort_by(|a, b| (&a.selector, a.timestamp).cmp(&(&b.selector, b.timestamp)));
        sorted
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_events_come_back(events in prop::collection::vec(arbitrary_event(), 1..30)) {
            prop_assert_eq!(there_and_back(&events).0, sorted(&events));
        }

        /// Bytes that pass the checksum but were not written by us: an error, never a panic.
        #[test]
        fn hostile_bytes_are_refused(
            events in prop::collection::vec(arbitrary_event(), 1..8),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            claimed in (0..20u32, 0..40u32),
        ) {
            let stripe = StripeEncoder::new().unwrap().encode(&events).unwrap();
            let mut unpacker = Unpacker::new().unwrap();
            let good = Dictionary::from_bytes(&stripe.dictionary.1, &mut unpacker).unwrap();
            let mut body = stripe.dictionary.1.clone();
            let (meta, rows) = &stripe.rows[0];
            let mut changed = rows.clone();
            for (at, byte) in changes {
                body[at.index(rows.len().max(1)) % stripe.dictionary.1.len()] = byte;
                changed[at.index(rows.len())] = byte;
            }
            let bad = Dictionary::from_bytes(&body, &mut unpacker);
            let mut other = meta.clone();
            (other.events, other.attempts) = claimed;
            let dictionaries = [Some(Arc::new(good)), bad.ok().map(Arc::new)];
            for dictionary in dictionaries.into_iter().flatten() {
                for (meta, body) in [(meta, &changed), (&other, rows), (meta, rows)] {
                    let Ok(keys) = RowKeys::new(meta, body, &mut unpacker) else { continue };
                    let rows = Rows::new(keys, meta, Arc::clone(&dictionary), &mut unpacker, Parts::ALL);
                    let Ok(rows) = rows else { continue };
                    for row in 0..meta.events as usize {
                        let _ = (rows.event(row), rows.id(row), rows.site(row));
                    }
                }
            }
        }
    }

    #[test]
    fn a_typical_event_takes_less_than_40_bytes() {
        let config = GeneratorConfig { events: 40_000, hours: 1, ..GeneratorConfig::default() };
        let events: Vec<_> = EventGenerator::new(1, config).collect();
        let (found, bytes) = there_and_back(&events);
        assert_eq!(found, sorted(&events));
        assert!(bytes < 40 * events.len(), "{} bytes an event", bytes / events.len());
        println!("{:.1} bytes an event", bytes as f64 / events.len() as f64);
    }
}

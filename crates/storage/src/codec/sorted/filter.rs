//! Tells which identifiers are certainly not in a stripe, from one read of 64 bytes.
//!
//! A blocked Bloom filter (Putze, Sanders, Singler 2007): each identifier sets six bits within one
//! line of 480 bits. Each line has a checksum of its own, because a lost bit would hide an event.

use telemetry_models::{CorrelationId, EventId};

/// Bytes of a line: 60 of bits, 4 of checksum.
pub(crate) const LINE: usize = 64;
const BITS: usize = 480;
const PROBES: u32 = 6;
/// Bits for each identifier: about one in two hundred is believed to be there and is not.
const BITS_EACH: usize = 12;

/// An identifier, as the filter sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    pub(crate) fn event(id: &EventId) -> Self {
        match id.as_u128() {
            Some(bits) => Self::of(bits, 1),
            None => Self::of(fnv1a(id.to_string().as_bytes()), 2),
        }
    }

    pub(crate) fn correlation(id: &CorrelationId) -> Self {
        match id.as_u128() {
            Some(bits) => Self::of(bits, 3),
            None => Self::of(fnv1a(id.to_string().as_bytes()), 4),
        }
    }

    fn of(bits: u128, kind: u64) -> Self {
        let (high, low) = ((bits >> 64) as u64, bits as u64);
        Self(mix(mix(high ^ kind.wrapping_mul(0x9e37_79b9_7f4a_7c15)) ^ low))
    }

    /// The line of so many in which it is looked for.
    pub(crate) fn line(self, lines: usize) -> usize {
        ((u128::from(self.0) * lines as u128) >> 64) as usize
    }

    fn bits(self) -> impl Iterator<Item = usize> {
        let spread = mix(self.0 ^ 0x5851_f42d_4c95_7f2d);
        (0..PROBES).map(move |probe| (((spread >> (10 * probe)) & 0x3ff) as usize * BITS) >> 10)
    }

    /// Whether it may be in a stripe with this line; `None` when the line is damaged.
    pub(crate) fn may_be_in(self, line: &[u8]) -> Option<bool> {
        let (bits, crc) = line.split_at_checked(BITS / 8)?;
        if line.len() != LINE || crc32c::crc32c(bits).to_le_bytes() != *crc {
            return None;
        }
        Some(self.bits().all(|bit| bits[bit / 8] >> (bit % 8) & 1 == 1))
    }
}

/// The lines for a stripe's identifiers.
pub(super) fn lines(keys: &[Key]) -> Vec<u8> {
    let count = (keys.len() * BITS_EACH).div_ceil(BITS).max(1);
    let mut bytes = vec![0; count * LINE];
    for key in keys {
        let line = &mut bytes[key.line(count) * LINE..][..LINE];
        for bit in key.bits() {
            line[bit / 8] |= 1 << (bit % 8);
        }
    }
    for line in bytes.chunks_exact_mut(LINE) {
        let crc = crc32c::crc32c(&line[..BITS / 8]);
        line[BITS / 8..].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

fn fnv1a(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}

#[cfg(test)]
mod tests {
    use super::{Key, LINE, lines};
    use telemetry_models::EventId;

    #[test]
    fn what_is_there_is_found_and_little_else() {
        let key = |at: u128| Key::event(&EventId::from_u128(at.wrapping_mul(0x1234_5678_9abc)));
        let keys: Vec<Key> = (0..5000).map(key).collect();
        let filter = lines(&keys);
        let count = filter.len() / LINE;
        let ask = |key: Key| key.may_be_in(&filter[key.line(count) * LINE..][..LINE]);
        assert!(keys.iter().all(|key| ask(*key) == Some(true)));
        let wrong = (5000..25_000).filter(|at| ask(key(*at)) == Some(true)).count();
        assert!(wrong < 300, "{wrong} of 20,000");
        let mut line = filter[..LINE].to_vec();
        line[7] ^= 4;
        assert_eq!(keys[0].may_be_in(&line), None);
    }
}

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use telemetry_interfaces::Key;

/// Keyed pseudonyms: the same text gives the same pseudonym in every process that holds the key,
/// and without the key nobody can tell which text it stands for, nor try texts out.
///
/// BLAKE3 in keyed mode (Aumasson, Neves, O'Connor, Wilcox-O'Hearn, *BLAKE3*, 2020), under a key
/// derived from the given one for this purpose alone. 60 bits in 12 characters for each part of a
/// selector's name: one chance in a million that any two of a million names coincide.
#[derive(Clone)]
pub struct Pseudonyms {
    key: [u8; 32],
}

impl Pseudonyms {
    /// What the key is called when a [`KeyProvider`](telemetry_interfaces::KeyProvider) is asked.
    pub const KEY_NAME: &'static str = "pseudonyms";

    /// Pseudonyms under this key.
    pub fn new(key: &Key) -> Self {
        Self { key: blake3::derive_key("selector-telemetry 2026-11 pseudonyms v1", key.bytes()) }
    }

    /// The pseudonym of a selector's name, part by part: `shop.price` and `shop.title` share their
    /// first part, so that patterns (`*`) still reach them together.
    pub fn selector(&self, name: &str) -> String {
        let mut out = String::with_capacity(name.len() * 2);
        let mut hasher = self.hasher("selector");
        for (at, part) in name.split('.').enumerate() {
            if at > 0 {
                out.push('.');
            }
            hasher.update(part.as_bytes());
            hasher.update(b".");
            out.push('p');
            write_base32(&hasher.finalize(), &mut out);
        }
        out
    }

    /// The pseudonym of a session's id.
    pub fn session(&self, id: &str) -> String {
        self.of("session", id)
    }

    fn of(&self, what: &str, text: &str) -> String {
        let mut out = format!("{what}-");
        let mut hasher = self.hasher(what);
        hasher.update(text.as_bytes());
        write_base32(&hasher.finalize(), &mut out);
        out
    }

    /// Begins with what is hashed, so that a selector and a session of one name differ.
    fn hasher(&self, what: &str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(what.as_bytes());
        hasher.update(&[0]);
        hasher
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms")
    }
}

/// What stands for identifiers that hold secrets: the pseudonyms when there is a key, otherwise
/// pseudonyms under a key of this process, which nobody knows and which ends with it.
#[derive(Debug)]
pub(super) struct Substitutes(Pseudonyms);

impl Substitutes {
    pub(super) fn new(pseudonyms: Option<&Pseudonyms>) -> Self {
        Self(pseudonyms.cloned().unwrap_or_else(|| Pseudonyms { key: random_key() }))
    }

    pub(super) fn of(&self, what: &str, text: &str) -> String {
        self.0.of(what, text)
    }
}

/// 128 bits of the operating system's randomness, which the standard library draws for its maps.
fn random_key() -> [u8; 32] {
    let state = RandomState::new();
    let mut material = [0; 32];
    for (at, part) in material.chunks_exact_mut(8).enumerate() {
        part.copy_from_slice(&state.hash_one(at).to_le_bytes());
    }
    blake3::derive_key("selector-telemetry 2026-11 substitutes v1", &material)
}

/// 60 bits in the alphabet of RFC 4648, section 6, in small letters.
fn write_base32(hash: &blake3::Hash, out: &mut String) {
    let mut bits = 0_u64;
    for byte in &hash.as_bytes()[..8] {
        bits = bits << 8 | u64::from(*byte);
    }
    for at in 0..12 {
        let digit = (bits >> (59 - 5 * at)) & 31;
        out.push(char::from(b"abcdefghijklmnopqrstuvwxyz234567"[digit as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_under_a_key_and_different_under_another() {
        let of = |key: &str| Pseudonyms::new(&Key::new(key.as_bytes()).unwrap());
        let one = of("0123456789abcdef");
        assert_eq!(one.selector("shop.price"), of("0123456789abcdef").selector("shop.price"));
        // A golden value: other versions and other processes must agree.
        assert_eq!(one.selector("shop.price"), "pytbphwtmninw.p57x7rmjntne3");
        assert_ne!(one.selector("shop.price"), of("0123456789abcdeF").selector("shop.price"));
        let (price, title) = (one.selector("shop.price"), one.selector("shop.title"));
        assert_eq!(price.split('.').next(), title.split('.').next());
        assert_ne!(price, title);
        assert_ne!(one.selector("a.price").split('.').nth(1), price.split('.').nth(1));
        assert!(!format!("{one:?}").contains('0'));
    }
}

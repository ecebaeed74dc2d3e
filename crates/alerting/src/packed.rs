//! A row of values in as few bytes as they need. It lives in memory only: what is kept in files has
//! forms of its own.

use telemetry_models::{EventId, Timestamp};

/// Writes values one after the other.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn into_bytes(self) -> Box<[u8]> {
        self.0.into()
    }

    /// A number in seven bits a byte.
    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub(crate) fn fixed(&mut self, number: i64) {
        self.0.extend(number.to_le_bytes());
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.0.extend(value.to_le_bytes());
    }

    /// A time, short when it is near another, in nanoseconds since 1970.
    pub(crate) fn time(&mut self, near: i64, time: Timestamp) {
        let apart = time.as_nanos().wrapping_sub(near);
        self.number(((apart << 1) ^ (apart >> 63)).cast_unsigned());
    }

    /// One of some words.
    pub(crate) fn word<T: PartialEq>(&mut self, all: &[T], word: T) {
        let at = all.iter().position(|it| *it == word);
        self.0.push(at.and_then(|at| u8::try_from(at).ok()).expect("one of fewer than 256 words"));
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.0.push(flag.into());
    }

    /// Eight flags in a byte.
    pub(crate) fn flags(&mut self, flags: [bool; 8]) {
        self.0.push(flags.into_iter().fold(0, |byte, flag| byte << 1 | u8::from(flag)));
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    pub(crate) fn event(&mut self, event: &EventId) {
        match event.as_u128() {
            Some(bits) => {
                self.flag(true);
                self.0.extend(bits.to_le_bytes());
            }
            None => {
                self.flag(false);
                self.text(&event.to_string());
            }
        }
    }
}

/// Reads what a [`Writer`] wrote, in the same order.
pub(crate) struct Reader<'a>(&'a [u8]);

const WRITTEN: &str = "as it was written";

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().expect(WRITTEN);
        self.0 = rest;
        *taken
    }

    pub(crate) fn number(&mut self) -> u64 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let [byte] = self.take();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    pub(crate) fn fixed(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }

    pub(crate) fn float(&mut self) -> f64 {
        f64::from_le_bytes(self.take())
    }

    pub(crate) fn time(&mut self, near: i64) -> Timestamp {
        let folded = self.number();
        let apart = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        Timestamp::from_nanos(near.wrapping_add(apart))
    }

    pub(crate) fn word<T: Copy>(&mut self, all: &[T]) -> T {
        let [at] = self.take();
        all[usize::from(at)]
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.take() == [1]
    }

    pub(crate) fn flags(&mut self) -> [bool; 8] {
        let [byte] = self.take();
        std::array::from_fn(|at| byte & 0x80 >> at != 0)
    }

    pub(crate) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(read(self)) } else { None }
    }

    pub(crate) fn text(&mut self) -> String {
        let length = self.number() as usize;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        std::str::from_utf8(text).expect(WRITTEN).to_owned()
    }

    pub(crate) fn event(&mut self) -> EventId {
        if self.flag() {
            return EventId::from_u128(u128::from_le_bytes(self.take()));
        }
        EventId::new(&self.text()).expect(WRITTEN)
    }
}

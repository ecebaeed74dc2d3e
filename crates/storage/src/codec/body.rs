//! Reads the body of version 1 column by column: the same bytes that bincode decodes value by value,
//! at a third of the cost. A test holds the two against each other.

use super::v1::{BodyV1, IdV1, OptV1, PageV1};
use super::{Fault, MAX_RAW_BYTES};

/// Numbers below are one byte; these say how many bytes the number behind them has.
const TWO: u8 = 251;
const FOUR: u8 = 252;
const EIGHT: u8 = 253;

/// Reads a body that is not compressed any more.
pub(super) fn body(bytes: &[u8]) -> Result<BodyV1, Fault> {
    let mut raw = Raw { bytes, claimed: 0 };
    // In the order in which they are written.
    let body = BodyV1 {
        text: raw.text()?,
        text_lens: raw.small()?,
        pages: raw.list(Raw::page)?,
        correlations: raw.list(Raw::id)?,
        id: raw.list(Raw::id)?,
        correlation: raw.small()?,
        selector: raw.small()?,
        selector_version: raw.optional(Raw::small)?,
        timestamp: raw.signed()?,
        operation: raw.bytes()?,
        outcome: raw.bytes()?,
        resolution_ns: raw.optional(Raw::numbers)?,
        strategies_ns: raw.optional(Raw::numbers)?,
        total_ns: raw.optional(Raw::numbers)?,
        memory_mb: raw.optional(Raw::fractions)?,
        cpu_percent: raw.optional(Raw::fractions)?,
        network_requests: raw.optional(Raw::small)?,
        dom_operations: raw.optional(Raw::small)?,
        confidence: raw.optional(Raw::small)?,
        elements_found: raw.optional(Raw::small)?,
        validation_passed: raw.bytes()?,
        drift_detected: raw.bytes()?,
        error_kind: raw.optional(Raw::small)?,
        error_message: raw.small()?,
        error_stack: raw.small()?,
        error_retries: raw.optional(Raw::small)?,
        error_fallbacks: raw.optional(Raw::small)?,
        error_recovered: raw.bytes()?,
        page: raw.small()?,
        engine: raw.small()?,
        run: raw.small()?,
        producer: raw.small()?,
        sequence: raw.optional(Raw::signed)?,
        attributes: raw.small()?,
        attribute_text: raw.small()?,
        attempts: raw.small()?,
        attempt_kind: raw.small()?,
        attempt_text: raw.small()?,
        attempt_outcome: raw.bytes()?,
        attempt_ns: raw.optional(Raw::numbers)?,
        attempt_elements: raw.optional(Raw::small)?,
        attempt_confidence: raw.optional(Raw::small)?,
        attempt_shadow: raw.optional(Raw::small)?,
    };
    match raw.bytes.len() {
        0 => Ok(body),
        more => Err(format!("block body has {more} bytes too many")),
    }
}

/// What is still to be read.
struct Raw<'b> {
    bytes: &'b [u8],
    /// Bytes that lists claimed to need in memory.
    claimed: usize,
}

impl<'b> Raw<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], Fault> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(short)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or_else(short)?;
        self.bytes = rest;
        Ok(*taken)
    }

    #[inline(always)]
    fn number(&mut self) -> Result<u64, Fault> {
        match self.bytes.split_first() {
            Some((first, rest)) if *first < TWO => {
                self.bytes = rest;
                Ok((*first).into())
            }
            _ => self.long(),
        }
    }

    /// A number of several bytes.
    #[inline(never)]
    fn long(&mut self) -> Result<u64, Fault> {
        match self.fixed()? {
            [TWO] => self.fixed().map(u16::from_le_bytes).map(u64::from),
            [FOUR] => self.fixed().map(u32::from_le_bytes).map(u64::from),
            [EIGHT] => self.fixed().map(u64::from_le_bytes),
            [other] => Err(odd(other)),
        }
    }

    /// The length of a list whose entries have so many bytes in memory, and one at least here.
    fn length(&mut self, each: usize) -> Result<usize, Fault> {
        let length = usize::try_from(self.number()?).map_err(|_| short())?;
        self.claimed = self.claimed.saturating_add(length.saturating_mul(each));
        if length > self.bytes.len() || self.claimed > MAX_RAW_BYTES {
            return Err(short());
        }
        Ok(length)
    }

    #[inline(always)]
    fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let length = self.length(size_of::<T>())?;
        let mut list = Vec::with_capacity(length);
        for _ in 0..length {
            list.push(each(self)?);
        }
        Ok(list)
    }

    fn numbers(&mut self) -> Result<Vec<u64>, Fault> {
        self.list(|raw| raw.number())
    }

    fn small(&mut self) -> Result<Vec<u32>, Fault> {
        self.list(|raw| raw.small_number())
    }

    #[inline(always)]
    fn small_number(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.number()?).map_err(|_| odd(EIGHT))
    }

    fn signed(&mut self) -> Result<Vec<i64>, Fault> {
        self.list(|raw| raw.signed_number())
    }

    /// The lowest bit is the sign.
    #[inline(always)]
    fn signed_number(&mut self) -> Result<i64, Fault> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn fractions(&mut self) -> Result<Vec<f64>, Fault> {
        self.list(|raw| raw.fixed().map(f64::from_le_bytes))
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Fault> {
        let length = self.length(1)?;
        self.take(length).map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> Result<String, Fault> {
        let text = String::from_utf8(self.bytes()?);
        text.map_err(|_| "block body cannot be decoded: a text is not UTF-8".to_owned())
    }

    fn optional<T>(
        &mut self,
        values: impl FnOnce(&mut Self) -> Result<Vec<T>, Fault>,
    ) -> Result<OptV1<T>, Fault> {
        Ok(OptV1 { present: self.bytes()?, values: values(self)? })
    }

    #[inline]
    fn id(&mut self) -> Result<IdV1, Fault> {
        match self.number()? {
            0 => Ok(IdV1::Derived),
            1 => self.fixed().map(IdV1::Uuid),
            2 => self.small_number().map(IdV1::Text),
            other => Err(format!("block body cannot be decoded: an identifier of kind {other}")),
        }
    }

    fn maybe<T>(
        &mut self,
        each: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        match self.fixed()? {
            [0] => Ok(None),
            [1] => each(self).map(Some),
            [other] => Err(odd(other)),
        }
    }

    fn page(&mut self) -> Result<PageV1, Fault> {
        Ok(PageV1 {
            session: self.small_number()?,
            tab: self.small_number()?,
            url: self.small_number()?,
            url_template: self.small_number()?,
            title: self.small_number()?,
            user_agent: self.small_number()?,
            viewport: self.maybe(|raw| Ok((raw.small_number()?, raw.small_number()?)))?,
            entered_at: self.maybe(Self::signed_number)?,
        })
    }
}

#[cold]
fn odd(first: u8) -> Fault {
    format!("block body cannot be decoded: a number begins with {first}")
}

#[cold]
fn short() -> Fault {
    "block body cannot be decoded: it ends early".into()
}

#[cfg(test)]
mod tests {
    use super::super::{BlockBuilder, Scratch, decode, decompress, encode};
    use super::{BodyV1, body};
    use proptest::prelude::*;
    use telemetry_testkit::arbitrary_event;

    fn encoded(body: &BodyV1) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(body, &mut bytes).unwrap();
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..Default::default() })]

        /// Every body that is written is read as bincode reads it, and shorter or longer ones are
        /// refused.
        #[test]
        fn bodies_are_what_bincode_makes_of_them(
            events in prop::collection::vec(arbitrary_event(), 1..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut scratch = Scratch::default();
            let mut builder = BlockBuilder::new(&mut scratch);
            for event in &events {
                builder.push(event).unwrap();
            }
            let block = builder.finish().unwrap().unwrap();
            let mut raw = decompress(&block.body, block.meta.raw_len, "body").unwrap();
            let expected: BodyV1 = decode(&raw, "body").unwrap();
            let read = body(&raw).unwrap();
            prop_assert_eq!(encoded(&read), encoded(&expected));
            prop_assert_eq!(&encoded(&read), &raw);
            prop_assert!(body(&raw[..cut.index(raw.len())]).is_err());
            raw.push(0);
            prop_assert!(body(&raw).is_err());
        }
    }
}

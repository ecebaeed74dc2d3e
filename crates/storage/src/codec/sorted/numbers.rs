//! Columns of numbers: what varies is split into planes of bytes, each compressed by itself, so that
//! the even low bytes of a measurement do not spoil the coding of its high ones.

use super::super::Fault;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// zstd's fastest regular level: planes have little for a longer search to find.
const PLANE_LEVEL: i32 = 1;
/// Texts are worth more: they are a quarter of what is stored.
const TEXT_LEVEL: i32 = 3;

const SAME: u8 = 0;
const PLAIN: u8 = 1;
const STEPS: u8 = 2;

const RAW: u8 = 0;
const ONE: u8 = 1;
const ZSTD: u8 = 2;

/// Turns columns into bytes.
pub(super) struct Packer {
    planes: Compressor<'static>,
    texts: Compressor<'static>,
    steps: Vec<u64>,
    plane: Vec<u8>,
    packed: Vec<u8>,
    section: Vec<u8>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    pub(super) fn new() -> Result<Self, Fault> {
        let compressor = |level| -> std::io::Result<Compressor<'static>> {
            let mut compressor = Compressor::new(level)?;
            // The reader knows every length.
            compressor.set_parameter(CParameter::ContentSizeFlag(false))?;
            Ok(compressor)
        };
        let failed = |error| format!("zstd cannot be prepared: {error}");
        Ok(Self {
            planes: compressor(PLANE_LEVEL).map_err(failed)?,
            texts: compressor(TEXT_LEVEL).map_err(failed)?,
            steps: Vec::new(),
            plane: Vec::new(),
            packed: Vec::new(),
            section: Vec::new(),
        })
    }

    /// Appends a column with its length, so that a reader can pass it over.
    pub(super) fn numbers(&mut self, values: &[u64], into: &mut Vec<u8>) -> Result<(), Fault> {
        let mut section = std::mem::take(&mut self.section);
        section.clear();
        let done = self.values(values, &mut section);
        finish(section, &mut self.section, into);
        done
    }

    /// Appends a column of which values may be absent.
    pub(super) fn optional(
        &mut self,
        values: &OptionalValues,
        into: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let mut section = std::mem::take(&mut self.section);
        section.clear();
        let done = if values.values.is_empty() {
            section.push(0);
            Ok(())
        } else if values.values.len() == values.rows {
            section.push(1);
            self.values(&values.values, &mut section)
        } else {
            section.push(2);
            self.plane(&values.present, PLANE_LEVEL, &mut section)
                .and_then(|()| self.values(&values.values, &mut section))
        };
        finish(section, &mut self.section, into);
        done
    }

    /// Appends bytes that are no numbers.
    pub(super) fn bytes(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> Result<(), Fault> {
        let mut section = std::mem::take(&mut self.section);
        section.clear();
        put(bytes.len() as u64, &mut section);
        let done = self.plane(bytes, TEXT_LEVEL, &mut section);
        finish(section, &mut self.section, into);
        done
    }

    fn values(&mut self, values: &[u64], into: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(&first) = values.first() else {
            into.push(SAME);
            put(0, into);
            return Ok(());
        };
        let (mut least, mut most) = (first, first);
        for &value in values {
            least = least.min(value);
            most = most.max(value);
        }
        if least == most {
            into.push(SAME);
            put(first, into);
            return Ok(());
        }
        let mut steps = std::mem::take(&mut self.steps);
        steps.clear();
        steps.extend(values.windows(2).map(|pair| zigzag(pair[1].wrapping_sub(pair[0]) as i64)));
        let bits = |values: &[u64], least: u64| -> u64 {
            values.iter().map(|it| u64::from(64 - (it - least).leading_zeros())).sum()
        };
        let step = steps.iter().copied().min().unwrap_or(0);
        let done = if bits(&steps, step) < bits(values, least) {
            into.push(STEPS);
            put(first, into);
            self.planes(&steps, step, into)
        } else {
            into.push(PLAIN);
            self.planes(values, least, into)
        };
        self.steps = steps;
        done
    }

    fn planes(&mut self, values: &[u64], least: u64, into: &mut Vec<u8>) -> Result<(), Fault> {
        let widest = values.iter().fold(0, |all, it| all | (it - least));
        let width = (64 - widest.leading_zeros()).div_ceil(8);
        put(least, into);
        into.push(width as u8);
        let mut plane = std::mem::take(&mut self.plane);
        let mut done = Ok(());
        for at in 0..width {
            plane.clear();
            plane.extend(values.iter().map(|it| ((it - least) >> (8 * at)) as u8));
            done = done.and_then(|()| self.plane(&plane, PLANE_LEVEL, into));
        }
        self.plane = plane;
        done
    }

    fn plane(&mut self, plane: &[u8], level: i32, into: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some((first, rest)) = plane.split_first()
            && rest.iter().all(|byte| byte == first)
        {
            into.extend([ONE, *first]);
            return Ok(());
        }
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(plane.len()));
        let zstd = if level == TEXT_LEVEL { &mut self.texts } else { &mut self.planes };
        let length = zstd
            .compress_to_buffer(plane, &mut self.packed)
            .map_err(|error| format!("cannot be compressed: {error}"))?;
        // What hardly shrinks is not worth the work of every reader.
        if length + length / 32 >= plane.len() {
            into.push(RAW);
            into.extend(plane);
        } else {
            into.push(ZSTD);
            put(length as u64, into);
            into.extend(&self.packed);
        }
        Ok(())
    }
}

fn finish(section: Vec<u8>, kept: &mut Vec<u8>, into: &mut Vec<u8>) {
    put(section.len() as u64, into);
    into.extend(&section);
    *kept = section;
}

/// The present values of a column, and a bit for each row (lowest first).
#[derive(Debug, Default)]
pub(super) struct OptionalValues {
    rows: usize,
    present: Vec<u8>,
    values: Vec<u64>,
}

impl OptionalValues {
    #[inline]
    pub(super) fn push(&mut self, value: Option<u64>) {
        if self.rows.is_multiple_of(8) {
            self.present.push(0);
        }
        if let Some(value) = value {
            if let Some(bits) = self.present.last_mut() {
                *bits |= 1 << (self.rows % 8);
            }
            self.values.push(value);
        }
        self.rows += 1;
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.present.clear();
        self.values.clear();
    }
}

/// Reads what [`Packer`] wrote.
pub(crate) struct Unpacker {
    zstd: Decompressor<'static>,
    /// Planes of the column at hand.
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Unpacker")
    }
}

impl Unpacker {
    pub(crate) fn new() -> Result<Self, Fault> {
        let made = Decompressor::new();
        made.map(|zstd| Self { zstd, bytes: Vec::new() })
            .map_err(|error| format!("zstd cannot be prepared: {error}"))
    }

    fn plane(&mut self, from: &mut Cut<'_>, into: &mut [u8]) -> Result<(), Fault> {
        match from.byte()? {
            RAW => into.copy_from_slice(from.take(into.len())?),
            ONE => into.fill(from.byte()?),
            ZSTD => {
                let length = from.length()?;
                let packed = from.take(length)?;
                let got = self
                    .zstd
                    .decompress_to_buffer(packed, into)
                    .map_err(|error| format!("a column cannot be decompressed: {error}"))?;
                if got != into.len() {
                    return Err(format!("a column has {got} bytes, expected {}", into.len()));
                }
            }
            other => return Err(format!("a column is coded in an unknown way, {other}")),
        }
        Ok(())
    }

    fn values(&mut self, from: &mut Cut<'_>, rows: usize) -> Result<Numbers, Fault> {
        match from.byte()? {
            SAME => Ok(Numbers::Same(from.number()?)),
            PLAIN => {
                let least = from.number()?;
                self.planes(from, least, rows)
            }
            STEPS => {
                let first = from.number()?;
                let least = from.number()?;
                let steps = self.planes(from, least, rows.saturating_sub(1))?;
                let mut values = Vec::with_capacity(rows);
                let mut value = first;
                values.push(value);
                for row in 0..rows.saturating_sub(1) {
                    value = value.wrapping_add(unzigzag(steps.get(row)) as u64);
                    values.push(value);
                }
                Ok(Numbers::Eight(values))
            }
            other => Err(format!("a column is coded in an unknown way, {other}")),
        }
    }

    /// Puts the planes of a column together, in the narrowest type that holds its values.
    fn planes(&mut self, from: &mut Cut<'_>, least: u64, rows: usize) -> Result<Numbers, Fault> {
        let width = usize::from(from.byte()?);
        if width > 8 {
            return Err(format!("a column is {width} bytes wide, at most 8 are possible"));
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        bytes.resize(width * rows, 0);
        let mut done = Ok(());
        for plane in bytes.chunks_exact_mut(rows.max(1)) {
            done = done.and_then(|()| self.plane(from, plane));
        }
        let plane = |at: usize| &bytes[at * rows..(at + 1) * rows];
        let numbers = match width {
            0 => Numbers::Same(least),
            1 => Numbers::One(least, plane(0).to_vec()),
            2 => {
                let pairs = plane(0).iter().zip(plane(1));
                let values = pairs.map(|(low, high)| u16::from(*low) | u16::from(*high) << 8);
                Numbers::Two(least, values.collect())
            }
            3 | 4 => {
                let mut values: Vec<u32> = vec![0; rows];
                for at in 0..width {
                    let shift = 8 * at as u32;
                    let bytes = plane(at).iter();
                    values.iter_mut().zip(bytes).for_each(|(it, b)| *it |= u32::from(*b) << shift);
                }
                Numbers::Four(least, values)
            }
            _ => {
                let mut values: Vec<u64> = vec![0; rows];
                for at in 0..width {
                    let shift = 8 * at as u32;
                    let bytes = plane(at).iter();
                    values.iter_mut().zip(bytes).for_each(|(it, b)| *it |= u64::from(*b) << shift);
                }
                values.iter_mut().for_each(|it| *it = it.wrapping_add(least));
                Numbers::Eight(values)
            }
        };
        self.bytes = bytes;
        done.map(|()| numbers)
    }

    /// The next column.
    pub(super) fn numbers(&mut self, from: &mut Cut<'_>, rows: usize) -> Result<Numbers, Fault> {
        let mut section = from.section()?;
        self.values(&mut section, rows)
    }

    /// The next column, or zeros in its place when it is not wanted.
    pub(super) fn numbers_if(
        &mut self,
        wanted: bool,
        from: &mut Cut<'_>,
        rows: usize,
    ) -> Result<Numbers, Fault> {
        if wanted {
            return self.numbers(from, rows);
        }
        from.section().map(|_| Numbers::Same(0))
    }

    /// The next column of which values may be absent; without any when it is not wanted.
    pub(super) fn optional_if(
        &mut self,
        wanted: bool,
        from: &mut Cut<'_>,
        rows: usize,
    ) -> Result<Optional, Fault> {
        if wanted {
            return self.optional(from, rows);
        }
        from.section().map(|_| Optional::absent())
    }

    /// The next column of which values may be absent.
    pub(super) fn optional(&mut self, from: &mut Cut<'_>, rows: usize) -> Result<Optional, Fault> {
        let mut section = from.section()?;
        match section.byte()? {
            0 => Ok(Optional { present: Present::None, values: Numbers::Same(0) }),
            1 => Ok(Optional { present: Present::All, values: self.values(&mut section, rows)? }),
            2 => {
                let mut bits = vec![0; rows.div_ceil(8)];
                self.plane(&mut section, &mut bits)?;
                let mut count = 0;
                let places = (0..rows)
                    .map(|row| {
                        let present = bits[row / 8] >> (row % 8) & 1 == 1;
                        count += u32::from(present);
                        if present { count } else { 0 }
                    })
                    .collect();
                let values = self.values(&mut section, count as usize)?;
                Ok(Optional { present: Present::Some(places), values })
            }
            other => Err(format!("a column is coded in an unknown way, {other}")),
        }
    }

    /// The next bytes that are no numbers, at most `most`.
    pub(super) fn bytes(&mut self, from: &mut Cut<'_>, most: usize) -> Result<Vec<u8>, Fault> {
        let mut section = from.section()?;
        let length = section.length()?;
        if length > most {
            return Err(format!("a column has {length} bytes, at most {most} are possible"));
        }
        let mut bytes = vec![0; length];
        if length > 0 {
            self.plane(&mut section, &mut bytes)?;
        }
        Ok(bytes)
    }
}

/// A column, read in any order: what its values have in common, and the rest in so many bytes each.
#[derive(Debug)]
pub(super) enum Numbers {
    Same(u64),
    One(u64, Vec<u8>),
    Two(u64, Vec<u16>),
    Four(u64, Vec<u32>),
    Eight(Vec<u64>),
}

impl Numbers {
    /// The value of a row; of no meaning beyond the last.
    #[inline(always)]
    pub(super) fn get(&self, row: usize) -> u64 {
        match self {
            Self::Same(value) => *value,
            Self::One(least, rest) => {
                least.wrapping_add(rest.get(row).map_or(0, |it| u64::from(*it)))
            }
            Self::Two(least, rest) => {
                least.wrapping_add(rest.get(row).map_or(0, |it| u64::from(*it)))
            }
            Self::Four(least, rest) => {
                least.wrapping_add(rest.get(row).map_or(0, |it| u64::from(*it)))
            }
            Self::Eight(values) => values.get(row).copied().unwrap_or(0),
        }
    }
}

/// A column of which values may be absent.
#[derive(Debug)]
pub(super) struct Optional {
    present: Present,
    values: Numbers,
}

#[derive(Debug)]
enum Present {
    None,
    All,
    /// For each row 0 or one more than its value's position.
    Some(Vec<u32>),
}

impl Optional {
    /// A column without any value.
    pub(super) const fn absent() -> Self {
        Self { present: Present::None, values: Numbers::Same(0) }
    }

    #[inline(always)]
    pub(super) fn get(&self, row: usize) -> Option<u64> {
        match &self.present {
            Present::None => None,
            Present::All => Some(self.values.get(row)),
            Present::Some(places) => {
                Some(self.values.get(places.get(row)?.checked_sub(1)? as usize))
            }
        }
    }

    #[inline]
    pub(super) fn small(&self, row: usize) -> Result<Option<u32>, Fault> {
        let Some(value) = self.get(row) else { return Ok(None) };
        let small = u32::try_from(value);
        small.map(Some).map_err(|_| format!("{value} is beyond its column's range"))
    }
}

/// What is still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'b>(pub(super) &'b [u8]);

impl<'b> Cut<'b> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'b [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("a block's body is too short")?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let (byte, rest) = self.0.split_first().ok_or("a block's body is too short")?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number has too many bytes".into())
    }

    pub(super) fn length(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.number()?).map_err(|_| "a length is too great".to_owned())
    }

    /// The next column, whole.
    pub(super) fn section(&mut self) -> Result<Cut<'b>, Fault> {
        let length = self.length()?;
        self.take(length).map(Cut)
    }
}

/// Appends a number: seven bits a byte, lowest first, the top bit set on all but the last.
pub(super) fn put(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

#[inline]
pub(super) const fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

#[inline]
pub(super) const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::{Cut, OptionalValues, Packer, Unpacker, unzigzag, zigzag};
    use proptest::prelude::*;

    fn column() -> impl Strategy<Value = Vec<u64>> {
        prop_oneof![
            prop::collection::vec(any::<u64>(), 0..40),
            prop::collection::vec(100..400u64, 0..300),
            (any::<u64>(), 0..70usize).prop_map(|(value, rows)| vec![value; rows]),
            prop::collection::vec(0..5u64, 0..200).prop_map(|steps| {
                let mut at = u64::MAX - 100;
                steps
                    .into_iter()
                    .map(|step| {
                        at = at.wrapping_add(step);
                        at
                    })
                    .collect()
            }),
        ]
    }

    proptest! {
        #[test]
        fn columns_come_back(values in column(), absent in prop::collection::vec(any::<bool>(), 0..300), bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let mut packer = Packer::new().unwrap();
            let mut packed = Vec::new();
            packer.numbers(&values, &mut packed).unwrap();
            let mut some = OptionalValues::default();
            let expected: Vec<Option<u64>> = values
                .iter()
                .enumerate()
                .map(|(row, value)| (!absent.get(row).copied().unwrap_or(false)).then_some(*value))
                .collect();
            expected.iter().for_each(|value| some.push(*value));
            packer.optional(&some, &mut packed).unwrap();
            packer.bytes(&bytes, &mut packed).unwrap();
            let mut unpacker = Unpacker::new().unwrap();
            let mut cut = Cut(&packed);
            let column = unpacker.numbers(&mut cut, values.len()).unwrap();
            prop_assert!(values.iter().enumerate().all(|(row, value)| column.get(row) == *value));
            let column = unpacker.optional(&mut cut, values.len()).unwrap();
            prop_assert!(expected.iter().enumerate().all(|(row, value)| column.get(row) == *value));
            prop_assert_eq!(unpacker.bytes(&mut cut, 99).unwrap(), bytes);
            prop_assert!(cut.0.is_empty());
        }

        #[test]
        fn zigzag_is_undone(number in any::<i64>()) {
            prop_assert_eq!(unzigzag(zigzag(number)), number);
        }
    }
}

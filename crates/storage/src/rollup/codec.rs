//! Rollups as bytes: what `docs/specs/rollup-format.md` calls a row.

use std::collections::HashMap;
use std::sync::Arc;
use telemetry_models::rollup::{
    ConfidenceFigures, DistinctHashes, DurationBins, ElementsFigures, ErrorFigures, Rollup,
    RollupFigures, RollupPeriod, StrategyFigures,
};
use telemetry_models::{
    AttemptOutcome, Confidence, EventId, Outcome, SelectorName, StrategyKind, Timestamp,
};

/// Why bytes could not be turned into values.
pub(super) type Fault = &'static str;

const SHORT: Fault = "a row ends early";
const OUT_OF_RANGE: Fault = "a value is out of range";

/// Collects values as bytes; texts are written once.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    texts: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u64>,
    pub(super) rows: u64,
}

impl Writer {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The table of texts, then what was written; nothing is left.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let rows = std::mem::take(self);
        let mut out = Self::default();
        out.number(rows.rows);
        out.number(rows.texts.len() as u64);
        for text in &rows.texts {
            out.number(text.len() as u64);
            out.bytes.extend_from_slice(text.as_bytes());
        }
        out.bytes.extend_from_slice(&rows.bytes);
        out.bytes
    }

    pub(super) fn row(&mut self, rollup: &Rollup) {
        self.rows += 1;
        self.text(&rollup.selector.shared());
        self.maybe_text(rollup.site.as_ref());
        self.instant(rollup.start);
        let it = &rollup.figures;
        self.list(&it.outcomes, |w, (outcome, count)| {
            w.bytes.push(*outcome as u8);
            w.number(*count);
        });
        self.numbers(&it.fallback_depths);
        self.confidence(&it.confidence);
        self.elements(it.elements);
        self.durations(&it.durations);
        self.list(&it.strategies, Self::strategy);
        self.list(it.other_strategies.as_slice(), |w, it| w.strategy(it));
        self.distinct(&it.urls);
        self.distinct(&it.url_templates);
        self.list(&it.errors, Self::error);
        self.list(it.other_errors.as_slice(), |w, it| w.error(it));
        self.list(it.first.as_slice(), |w, at| w.instant(*at));
        self.list(it.last.as_slice(), |w, at| w.instant(*at));
        self.list(it.last_success.as_slice(), Self::seen);
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub(super) fn fixed(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn wide(&mut self, number: u128) {
        self.number(number as u64);
        self.number((number >> 64) as u64);
    }

    fn instant(&mut self, at: Timestamp) {
        self.fixed(at.as_nanos() as u64);
    }

    pub(super) fn text(&mut self, text: &Arc<str>) {
        let next = self.texts.len() as u64;
        let place = *self.places.entry(Arc::clone(text)).or_insert(next);
        if place == next {
            self.texts.push(Arc::clone(text));
        }
        self.number(place);
    }

    fn maybe_text(&mut self, text: Option<&Arc<str>>) {
        self.list(text.as_slice(), |w, text| w.text(text));
    }

    fn numbers(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.number(*number);
        }
    }

    pub(super) fn list<T>(&mut self, list: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.number(list.len() as u64);
        for it in list {
            each(self, it);
        }
    }

    fn confidence(&mut self, it: &ConfidenceFigures) {
        self.number(it.n);
        if it.n > 0 {
            self.number(it.sum);
            self.wide(it.squares);
            self.list(it.min.as_slice(), |w, min| w.number(min.millionths().into()));
            self.numbers(&it.tenths);
        }
    }

    fn elements(&mut self, it: ElementsFigures) {
        self.number(it.n);
        if it.n > 0 {
            self.number(it.sum);
            self.list(it.min.as_slice(), |w, min| w.number((*min).into()));
            self.list(it.max.as_slice(), |w, max| w.number((*max).into()));
        }
    }

    fn durations(&mut self, it: &DurationBins) {
        let mut before = 0;
        self.list(&it.bins, |w, (bin, count)| {
            w.number(u64::from(bin.wrapping_sub(before)));
            w.number(*count);
            before = *bin;
        });
        if !it.bins.is_empty() {
            self.wide(it.sum_ns);
            self.list(it.min_ns.as_slice(), |w, ns| w.number(*ns));
            self.list(it.max_ns.as_slice(), |w, ns| w.number(*ns));
        }
    }

    fn strategy(&mut self, it: &StrategyFigures) {
        self.maybe_text(it.kind.as_ref().map(|kind| Arc::from(kind.as_str())).as_ref());
        self.maybe_text(it.text.as_ref());
        self.list(&it.outcomes, |w, (outcome, count)| {
            w.bytes.push(*outcome as u8);
            w.number(*count);
        });
        self.number(it.shadow);
        self.numbers(&it.fallback_depths);
        self.confidence(&it.confidence);
        self.elements(it.elements);
        self.durations(&it.durations);
    }

    fn distinct(&mut self, it: &DistinctHashes) {
        self.bytes.push(it.overflowed.into());
        self.list(&it.smallest, |w, hash| w.fixed(*hash));
    }

    fn error(&mut self, it: &ErrorFigures) {
        self.text(&it.kind);
        self.maybe_text(it.message.as_ref());
        self.number(it.count);
        self.list(it.last.as_slice(), Self::seen);
    }

    fn seen(&mut self, (at, event): &(Timestamp, EventId)) {
        self.instant(*at);
        match event.as_u128() {
            Some(bits) => {
                self.bytes.push(0);
                self.bytes.extend_from_slice(&bits.to_be_bytes());
            }
            None => {
                self.bytes.push(1);
                self.text(&event.to_string().into());
            }
        }
    }
}

/// Reads what a [`Writer`] wrote; nothing it reads can make it panic or allocate more than the
/// bytes could hold.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    texts: Vec<Arc<str>>,
    /// By position in `texts`, for those that are used so.
    kinds: Vec<Option<StrategyKind>>,
    pub(super) rows: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Self { bytes, texts: Vec::new(), kinds: Vec::new(), rows: 0 };
        reader.rows = reader.number()?;
        reader.texts = reader.list(|r| {
            let length = usize::try_from(r.number()?).map_err(|_| SHORT)?;
            let text = std::str::from_utf8(r.take(length)?).map_err(|_| "a text is not UTF-8")?;
            Ok(Arc::from(text))
        })?;
        reader.kinds = vec![None; reader.texts.len()];
        Ok(reader)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn row(&mut self, period: RollupPeriod) -> Result<Rollup, Fault> {
        let selector = SelectorName::new(self.text()?).map_err(|_| OUT_OF_RANGE)?;
        let site = self.maybe_text()?;
        let start = self.instant()?;
        let figures = RollupFigures {
            outcomes: self.list(|r| Ok((*word(Outcome::ALL, r.byte()?)?, r.number()?)))?,
            fallback_depths: self.numbers()?,
            confidence: self.confidence()?,
            elements: self.elements()?,
            durations: self.durations()?,
            strategies: self.list(Self::strategy)?,
            other_strategies: self.maybe(Self::strategy)?.map(Box::new),
            urls: self.distinct()?,
            url_templates: self.distinct()?,
            errors: self.list(Self::error)?,
            other_errors: self.maybe(Self::error)?.map(Box::new),
            first: self.maybe(Self::instant)?,
            last: self.maybe(Self::instant)?,
            last_success: self.maybe(Self::seen)?,
        };
        Ok(Rollup { period, start, selector, site, figures })
    }

    #[inline]
    pub(super) fn number(&mut self) -> Result<u64, Fault> {
        // Most numbers are small.
        if let Some((byte, rest)) = self.bytes.split_first()
            && *byte < 0x80
        {
            self.bytes = rest;
            return Ok((*byte).into());
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number is too long")
    }

    pub(super) fn fixed(&mut self) -> Result<u64, Fault> {
        let (bytes, rest) = self.bytes.split_first_chunk().ok_or(SHORT)?;
        self.bytes = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    #[inline]
    pub(super) fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let length = usize::try_from(self.number()?).map_err(|_| SHORT)?;
        // An entry takes a byte at least.
        if length > self.bytes.len() {
            return Err(SHORT);
        }
        let mut list = Vec::with_capacity(length);
        for _ in 0..length {
            list.push(each(self)?);
        }
        Ok(list)
    }

    pub(super) fn text(&mut self) -> Result<Arc<str>, Fault> {
        let place = usize::try_from(self.number()?).map_err(|_| OUT_OF_RANGE)?;
        self.texts.get(place).cloned().ok_or(OUT_OF_RANGE)
    }

    fn maybe<T>(
        &mut self,
        each: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        match self.number()? {
            0 => Ok(None),
            1 => each(self).map(Some),
            _ => Err(OUT_OF_RANGE),
        }
    }

    fn maybe_text(&mut self) -> Result<Option<Arc<str>>, Fault> {
        self.maybe(Self::text)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let (byte, rest) = self.bytes.split_first().ok_or(SHORT)?;
        self.bytes = rest;
        Ok(*byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(SHORT)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn wide(&mut self) -> Result<u128, Fault> {
        let low = u128::from(self.number()?);
        Ok(low | u128::from(self.number()?) << 64)
    }

    fn instant(&mut self) -> Result<Timestamp, Fault> {
        Ok(Timestamp::from_nanos(self.fixed()? as i64))
    }

    fn numbers<const N: usize>(&mut self) -> Result<[u64; N], Fault> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.number()?;
        }
        Ok(numbers)
    }

    fn small(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.number()?).map_err(|_| OUT_OF_RANGE)
    }

    fn confidence(&mut self) -> Result<ConfidenceFigures, Fault> {
        let n = self.number()?;
        if n == 0 {
            return Ok(ConfidenceFigures::default());
        }
        let share = |r: &mut Self| Confidence::from_millionths(r.small()?).ok_or(OUT_OF_RANGE);
        Ok(ConfidenceFigures {
            n,
            sum: self.number()?,
            squares: self.wide()?,
            min: self.maybe(share)?,
            tenths: self.numbers()?,
        })
    }

    fn elements(&mut self) -> Result<ElementsFigures, Fault> {
        let n = self.number()?;
        if n == 0 {
            return Ok(ElementsFigures::default());
        }
        let sum = self.number()?;
        Ok(ElementsFigures { n, sum, min: self.maybe(Self::small)?, max: self.maybe(Self::small)? })
    }

    fn durations(&mut self) -> Result<DurationBins, Fault> {
        let mut before: u16 = 0;
        let bins = self.list(|r| {
            let step = u16::try_from(r.number()?).map_err(|_| OUT_OF_RANGE)?;
            before = before.checked_add(step).ok_or(OUT_OF_RANGE)?;
            Ok((before, r.number()?))
        })?;
        if bins.is_empty() {
            return Ok(DurationBins::default());
        }
        let sum_ns = self.wide()?;
        let (min_ns, max_ns) = (self.maybe(Self::number)?, self.maybe(Self::number)?);
        Ok(DurationBins { bins, sum_ns, min_ns, max_ns })
    }

    fn strategy(&mut self) -> Result<StrategyFigures, Fault> {
        let kind = self.maybe(|r| {
            let place = usize::try_from(r.number()?).map_err(|_| OUT_OF_RANGE)?;
            let text = r.texts.get(place).ok_or(OUT_OF_RANGE)?;
            let kind = r.kinds.get_mut(place).ok_or(OUT_OF_RANGE)?;
            Ok(kind.get_or_insert_with(|| StrategyKind::new(text)).clone())
        })?;
        Ok(StrategyFigures {
            kind,
            text: self.maybe_text()?,
            outcomes: self.list(|r| Ok((*word(AttemptOutcome::ALL, r.byte()?)?, r.number()?)))?,
            shadow: self.number()?,
            fallback_depths: self.numbers()?,
            confidence: self.confidence()?,
            elements: self.elements()?,
            durations: self.durations()?,
        })
    }

    fn distinct(&mut self) -> Result<DistinctHashes, Fault> {
        let overflowed = match self.byte()? {
            0 => false,
            1 => true,
            _ => return Err(OUT_OF_RANGE),
        };
        Ok(DistinctHashes { smallest: self.list(Self::fixed)?, overflowed })
    }

    fn error(&mut self) -> Result<ErrorFigures, Fault> {
        Ok(ErrorFigures {
            kind: self.text()?,
            message: self.maybe_text()?,
            count: self.number()?,
            last: self.maybe(Self::seen)?,
        })
    }

    fn seen(&mut self) -> Result<(Timestamp, EventId), Fault> {
        let at = self.instant()?;
        let id = match self.byte()? {
            0 => {
                let (bits, rest) = self.bytes.split_first_chunk().ok_or(SHORT)?;
                self.bytes = rest;
                EventId::from_u128(u128::from_be_bytes(*bits))
            }
            1 => EventId::new(&self.text()?).map_err(|_| OUT_OF_RANGE)?,
            _ => return Err(OUT_OF_RANGE),
        };
        Ok((at, id))
    }
}

/// Words are written as their position, and new ones are added at an end only.
fn word<T>(all: &[T], code: u8) -> Result<&T, Fault> {
    all.get(usize::from(code)).ok_or(OUT_OF_RANGE)
}

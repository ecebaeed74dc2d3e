//! What the rows of a stripe share: texts, pages, correlations, strategies, runs and producers.

use super::super::intern::{Interner, Map};
use super::super::{Fault, MAX_RAW_BYTES};
use super::numbers::{Cut, Numbers, Optional, OptionalValues, Packer, Unpacker, put};
use std::sync::{Arc, OnceLock};
use telemetry_models::{
    Attempt, CorrelationId, PageContext, ProducerId, RunId, SessionId, StrategyKind, Timestamp,
    Viewport, site_of_url,
};

/// Collects what a stripe's events share.
#[derive(Default)]
pub(super) struct DictionaryBuilder<'a> {
    interned: Interner<'a>,
    texts: Vec<&'a str>,
    runs: Listed<'a>,
    producers: Listed<'a>,
    engines: Listed<'a>,
    strategies: Map<(u32, u32), u32>,
    strategy_texts: Vec<(u32, u32)>,
    correlations: Map<&'a CorrelationId, u32>,
    correlation_list: Vec<&'a CorrelationId>,
    page_addresses: Map<usize, u32>,
    pages: Map<&'a PageContext, u32>,
    page_list: Vec<&'a PageContext>,
}

#[derive(Default)]
struct Listed<'a> {
    interned: Interner<'a>,
    list: Vec<&'a str>,
}

impl<'a> Listed<'a> {
    /// 0 for none, otherwise one more than its position.
    fn number(&mut self, text: Option<&'a str>) -> u64 {
        let Some(text) = text else { return 0 };
        let (at, fresh) = self.interned.intern(text, self.list.len() as u32);
        if fresh {
            self.list.push(text);
        }
        u64::from(at) + 1
    }
}

impl<'a> DictionaryBuilder<'a> {
    fn text(&mut self, text: &'a str) -> u32 {
        let (at, fresh) = self.interned.intern(text, self.texts.len() as u32);
        if fresh {
            self.texts.push(text);
        }
        at
    }

    pub(super) fn run(&mut self, run: Option<&'a RunId>) -> u64 {
        self.runs.number(run.map(RunId::as_str))
    }

    pub(super) fn producer(&mut self, producer: Option<&'a ProducerId>) -> u64 {
        self.producers.number(producer.map(ProducerId::as_str))
    }

    pub(super) fn engine(&mut self, engine: Option<&'a str>) -> u64 {
        self.engines.number(engine)
    }

    /// The position of an attempt's strategy with its text.
    pub(super) fn strategy(&mut self, attempt: &'a Attempt) -> u64 {
        let kind = self.text(attempt.kind.as_str());
        let text = attempt.text.as_deref().map_or(0, |text| self.text(text) + 1);
        let next = self.strategy_texts.len() as u32;
        let at = *self.strategies.entry((kind, text)).or_insert(next);
        if at == next {
            self.strategy_texts.push((kind, text));
        }
        u64::from(at)
    }

    pub(super) fn correlation(&mut self, id: Option<&'a CorrelationId>) -> u64 {
        let Some(id) = id else { return 0 };
        let next = self.correlation_list.len() as u32;
        let at = *self.correlations.entry(id).or_insert(next);
        if at == next {
            self.correlation_list.push(id);
        }
        u64::from(at) + 1
    }

    pub(super) fn page(&mut self, page: Option<&'a Arc<PageContext>>) -> u64 {
        let Some(page) = page else { return 0 };
        let next = self.page_list.len() as u32;
        let address = Arc::as_ptr(page) as usize;
        if let Some(at) = self.page_addresses.get(&address) {
            return u64::from(*at) + 1;
        }
        let at = *self.pages.entry(page).or_insert(next);
        if at == next {
            self.page_list.push(page);
        }
        self.page_addresses.insert(address, at);
        u64::from(at) + 1
    }

    pub(super) fn correlations(&self) -> &[&'a CorrelationId] {
        &self.correlation_list
    }

    pub(super) fn finish(mut self, packer: &mut Packer) -> Result<Vec<u8>, Fault> {
        let mut columns: [Vec<u64>; 6] = Default::default();
        let (mut widths, mut heights) = (OptionalValues::default(), OptionalValues::default());
        let mut entered = OptionalValues::default();
        for page in std::mem::take(&mut self.page_list) {
            let session = page.session.as_ref().map(SessionId::as_str);
            let texts = [
                session,
                page.tab.as_deref(),
                page.url.as_deref(),
                page.url_template.as_deref(),
                page.title.as_deref(),
                page.user_agent.as_deref(),
            ];
            for (column, text) in columns.iter_mut().zip(texts) {
                column.push(text.map_or(0, |text| u64::from(self.text(text)) + 1));
            }
            widths.push(page.viewport.map(|it| it.width.into()));
            heights.push(page.viewport.map(|it| it.height.into()));
            entered.push(page.entered_at.map(|it| it.as_nanos() as u64));
        }
        let lists = [&self.runs.list, &self.producers.list, &self.engines.list];
        let lists: Vec<Vec<u64>> = lists
            .map(|list| list.clone())
            .into_iter()
            .map(|list| list.into_iter().map(|text| self.text(text).into()).collect())
            .collect();
        let mut uuids = Vec::new();
        let mut words = Vec::new();
        let mut kinds = Vec::new();
        for id in &self.correlation_list {
            match id.as_u128() {
                Some(bits) => {
                    kinds.push(0);
                    uuids.extend(bits.to_be_bytes());
                }
                None => {
                    let text = id.to_string();
                    kinds.push(text.len() as u64 + 1);
                    words.extend(text.as_bytes());
                }
            }
        }
        let lengths: Vec<u64> = self.texts.iter().map(|text| text.len() as u64).collect();
        let text = self.texts.concat();
        let mut body = Vec::new();
        put(self.texts.len() as u64, &mut body);
        packer.numbers(&lengths, &mut body)?;
        packer.bytes(text.as_bytes(), &mut body)?;
        for list in &lists {
            put(list.len() as u64, &mut body);
            packer.numbers(list, &mut body)?;
        }
        put(self.strategy_texts.len() as u64, &mut body);
        let strategy = |part: fn(&(u32, u32)) -> u32| -> Vec<u64> {
            self.strategy_texts.iter().map(|it| part(it).into()).collect()
        };
        packer.numbers(&strategy(|it| it.0), &mut body)?;
        packer.numbers(&strategy(|it| it.1), &mut body)?;
        put(kinds.len() as u64, &mut body);
        packer.numbers(&kinds, &mut body)?;
        packer.bytes(&uuids, &mut body)?;
        packer.bytes(&words, &mut body)?;
        put(columns[0].len() as u64, &mut body);
        for column in &columns {
            packer.numbers(column, &mut body)?;
        }
        packer.optional(&widths, &mut body)?;
        packer.optional(&heights, &mut body)?;
        packer.optional(&entered, &mut body)?;
        if body.len() > MAX_RAW_BYTES || text.len() > MAX_RAW_BYTES {
            return Err("the texts of a stripe are too long".into());
        }
        Ok(body)
    }
}

/// What rows refer to; values are made when first asked for.
#[derive(Debug)]
pub(crate) struct Dictionary {
    text: String,
    /// Where each text ends.
    ends: Vec<u32>,
    texts: Vec<OnceLock<Arc<str>>>,
    pub(super) runs: Vec<RunId>,
    pub(super) producers: Vec<ProducerId>,
    engines: Vec<u64>,
    kinds: Numbers,
    strategy_texts: Numbers,
    strategies: Vec<OnceLock<(StrategyKind, Option<Arc<str>>)>>,
    pub(super) correlations: Vec<CorrelationId>,
    page_columns: [Numbers; 6],
    widths: Optional,
    heights: Optional,
    entered: Optional,
    pages: Vec<OnceLock<Arc<PageContext>>>,
}

/// No stripe has more of anything.
const MOST: usize = 1 << 24;

impl Dictionary {
    pub(crate) fn from_bytes(body: &[u8], unpacker: &mut Unpacker) -> Result<Self, Fault> {
        let mut cut = Cut(body);
        let count = |cut: &mut Cut<'_>| -> Result<usize, Fault> {
            let count = cut.length()?;
            if count > MOST {
                return Err(format!("a dictionary claims {count} entries, at most {MOST} fit"));
            }
            Ok(count)
        };
        let texts = count(&mut cut)?;
        let lengths = unpacker.numbers(&mut cut, texts)?;
        let text = unpacker.bytes(&mut cut, MAX_RAW_BYTES)?;
        let text = String::from_utf8(text).map_err(|_| "a text is not UTF-8".to_owned())?;
        let mut end = 0usize;
        let mut ends = Vec::with_capacity(texts);
        for at in 0..texts {
            end = end.saturating_add(lengths.get(at) as usize);
            if !text.is_char_boundary(end) {
                return Err("text is too short".into());
            }
            ends.push(end as u32);
        }
        let mut dictionary = Self {
            text,
            ends,
            texts: (0..texts).map(|_| OnceLock::new()).collect(),
            runs: Vec::new(),
            producers: Vec::new(),
            engines: Vec::new(),
            kinds: Numbers::Same(0),
            strategy_texts: Numbers::Same(0),
            strategies: Vec::new(),
            correlations: Vec::new(),
            page_columns: std::array::from_fn(|_| Numbers::Same(0)),
            widths: Optional::absent(),
            heights: Optional::absent(),
            entered: Optional::absent(),
            pages: Vec::new(),
        };
        let mut list = |cut: &mut Cut<'_>| -> Result<Vec<u64>, Fault> {
            let length = count(cut)?;
            let numbers = unpacker.numbers(cut, length)?;
            Ok((0..length).map(|at| numbers.get(at)).collect())
        };
        let runs = list(&mut cut)?;
        let producers = list(&mut cut)?;
        dictionary.engines = list(&mut cut)?;
        for at in runs {
            dictionary.runs.push(RunId::new(dictionary.text(at)?).map_err(|e| e.to_string())?);
        }
        for at in producers {
            let producer = ProducerId::new(dictionary.text(at)?).map_err(|e| e.to_string())?;
            dictionary.producers.push(producer);
        }
        let strategies = count(&mut cut)?;
        dictionary.kinds = unpacker.numbers(&mut cut, strategies)?;
        dictionary.strategy_texts = unpacker.numbers(&mut cut, strategies)?;
        dictionary.strategies = (0..strategies).map(|_| OnceLock::new()).collect();
        let correlations = count(&mut cut)?;
        let kinds = unpacker.numbers(&mut cut, correlations)?;
        let uuids = unpacker.bytes(&mut cut, MAX_RAW_BYTES)?;
        let words = unpacker.bytes(&mut cut, MAX_RAW_BYTES)?;
        let (mut uuids, mut words) = (Cut(&uuids), Cut(&words));
        for at in 0..correlations {
            let id = match kinds.get(at).checked_sub(1) {
                None => {
                    let mut bits = [0; 16];
                    bits.copy_from_slice(uuids.take(16)?);
                    CorrelationId::from_u128(u128::from_be_bytes(bits))
                }
                Some(length) => {
                    let word = std::str::from_utf8(words.take(length as usize)?);
                    let word = word.map_err(|_| "a text is not UTF-8".to_owned())?;
                    CorrelationId::new(word).map_err(|error| error.to_string())?
                }
            };
            dictionary.correlations.push(id);
        }
        let pages = count(&mut cut)?;
        for column in &mut dictionary.page_columns {
            *column = unpacker.numbers(&mut cut, pages)?;
        }
        dictionary.widths = unpacker.optional(&mut cut, pages)?;
        dictionary.heights = unpacker.optional(&mut cut, pages)?;
        dictionary.entered = unpacker.optional(&mut cut, pages)?;
        dictionary.pages = (0..pages).map(|_| OnceLock::new()).collect();
        Ok(dictionary)
    }

    fn slice(&self, at: u64) -> Result<&str, Fault> {
        let at = usize::try_from(at).map_err(|_| outside(at))?;
        let end = *self.ends.get(at).ok_or_else(|| outside(at as u64))? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Ok(&self.text[start..end])
    }

    #[inline]
    fn text(&self, at: u64) -> Result<Arc<str>, Fault> {
        if let Some(text) = self.texts.get(at as usize).and_then(OnceLock::get) {
            return Ok(Arc::clone(text));
        }
        let slice = self.slice(at)?;
        Ok(Arc::clone(self.texts[at as usize].get_or_init(|| slice.into())))
    }

    fn optional(&self, cell: u64) -> Result<Option<Arc<str>>, Fault> {
        cell.checked_sub(1).map(|at| self.text(at)).transpose()
    }

    pub(super) fn engine(&self, cell: u64) -> Result<Option<Arc<str>>, Fault> {
        let Some(at) = cell.checked_sub(1) else { return Ok(None) };
        let text = *self.engines.get(at as usize).ok_or_else(|| outside(at))?;
        self.text(text).map(Some)
    }

    #[inline]
    pub(super) fn strategy(&self, at: u64) -> Result<&(StrategyKind, Option<Arc<str>>), Fault> {
        let slot = self.strategies.get(at as usize).ok_or_else(|| outside(at))?;
        if let Some(strategy) = slot.get() {
            return Ok(strategy);
        }
        let kind = StrategyKind::new(self.slice(self.kinds.get(at as usize))?);
        let text = self.optional(self.strategy_texts.get(at as usize))?;
        Ok(slot.get_or_init(|| (kind, text)))
    }

    pub(super) fn page(&self, cell: u64) -> Result<Option<Arc<PageContext>>, Fault> {
        let Some(at) = cell.checked_sub(1) else { return Ok(None) };
        let row = at as usize;
        let slot = self.pages.get(row).ok_or_else(|| outside(at))?;
        if let Some(page) = slot.get() {
            return Ok(Some(Arc::clone(page)));
        }
        let text = |column: usize| self.optional(self.page_columns[column].get(row));
        let viewport = match (self.widths.small(row)?, self.heights.small(row)?) {
            (Some(width), Some(height)) => Some(Viewport { width, height }),
            _ => None,
        };
        let page = PageContext {
            session: text(0)?.map(SessionId::new).transpose().map_err(|e| e.to_string())?,
            tab: text(1)?,
            url: text(2)?,
            url_template: text(3)?,
            title: text(4)?,
            user_agent: text(5)?,
            viewport,
            entered_at: self.entered.get(row).map(|it| Timestamp::from_nanos(it as i64)),
        };
        Ok(Some(Arc::clone(slot.get_or_init(|| Arc::new(page)))))
    }

    /// The site of a row's page, without making the page.
    pub(super) fn site(&self, cell: u64) -> Result<Option<&str>, Fault> {
        let Some(at) = cell.checked_sub(1) else { return Ok(None) };
        let Some(url) = self.page_columns[2].get(at as usize).checked_sub(1) else {
            return Ok(None);
        };
        Ok(site_of_url(self.slice(url)?))
    }
}

pub(super) fn outside(at: u64) -> Fault {
    format!("position {at} is outside its table")
}

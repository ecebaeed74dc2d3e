use crate::{
    Components, Document, Error, Found, Listener, Query, Selector, Strategy, StrategyKind, Try,
    TryOutcome, Weights,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Settings of a [`Cascade`].
#[derive(Debug, Clone, PartialEq)]
pub struct CascadeConfig {
    /// Weights of the confidence's components.
    pub weights: Weights,
    /// A count whose plausibility is below this (0–1) is ambiguous: by default more than four
    /// times as many matches as expected.
    pub ambiguous_below: f64,
    /// Values extracted per try at most; the count is always complete.
    pub extract_limit: usize,
    /// Compiled selectors kept at most; the cache is emptied when it is full.
    pub cache_limit: usize,
}

impl Default for CascadeConfig {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            ambiguous_below: 0.25,
            extract_limit: 32,
            cache_limit: 4096,
        }
    }
}

type Compiled = Arc<Result<Query, Error>>;

/// The engine: tries a selector's strategies in order. Can be shared between threads.
#[derive(Debug, Default)]
pub struct Cascade {
    config: CascadeConfig,
    /// Protects the compiled queries, by kind and text; held only to look up and insert.
    compiled: Mutex<HashMap<StrategyKind, HashMap<String, Compiled>>>,
}

/// What a resolution came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A strategy was accepted.
    Found,
    /// The selector is optional and every strategy found nothing.
    ExpectedAbsent,
    /// No strategy was accepted; the tries say why.
    NotFound,
}

/// The result of resolving a selector.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution<T> {
    /// Found, absent as expected, or not found.
    pub verdict: Verdict,
    /// The index of the accepted strategy.
    pub winner: Option<usize>,
    /// What the accepted strategy found, up to the extraction limit.
    pub elements: Vec<T>,
    /// The accepted strategy's confidence.
    pub confidence: Option<f64>,
    /// Every try, in order.
    pub tries: Vec<Try>,
}

impl Cascade {
    /// An engine with these settings.
    pub fn new(config: CascadeConfig) -> Self {
        Self { config, compiled: Mutex::default() }
    }

    /// Tries the strategies in order until one finds elements with enough confidence; a try that
    /// finds nothing, too little, too much, the wrong thing, or cannot run falls through to the
    /// next. Where there is nothing to compute a confidence from, finding something is enough.
    pub fn resolve(
        &self,
        doc: &Document,
        selector: &Selector,
        listener: &mut dyn Listener,
    ) -> Resolution<Found> {
        let mut tries = Vec::with_capacity(1);
        for (index, strategy) in selector.strategies.iter().enumerate() {
            listener.trying(index, strategy);
            let (attempt, elements) = self.attempt(doc, selector, index, strategy);
            listener.tried(&attempt);
            let accepted = attempt.outcome == TryOutcome::Accepted;
            let confidence = attempt.confidence;
            tries.push(attempt);
            if accepted {
                let (verdict, winner) = (Verdict::Found, Some(index));
                return Resolution { verdict, winner, elements, confidence, tries };
            }
        }
        let absent = selector.optional
            && !tries.is_empty()
            && tries.iter().all(|attempt| attempt.outcome == TryOutcome::Empty);
        let verdict = if absent { Verdict::ExpectedAbsent } else { Verdict::NotFound };
        Resolution { verdict, winner: None, elements: Vec::new(), confidence: None, tries }
    }

    /// Tries one strategy alone, as [`resolve`](Self::resolve) would: the try, and what it found up
    /// to the extraction limit. `None` when the selector has no such strategy.
    pub fn try_strategy(
        &self,
        doc: &Document,
        selector: &Selector,
        index: usize,
    ) -> Option<(Try, Vec<Found>)> {
        let strategy = selector.strategies.get(index)?;
        Some(self.attempt(doc, selector, index, strategy))
    }

    fn attempt(
        &self,
        doc: &Document,
        selector: &Selector,
        index: usize,
        strategy: &Strategy,
    ) -> (Try, Vec<Found>) {
        let started = Instant::now();
        let mut attempt = Try {
            index,
            kind: strategy.kind,
            text: strategy.text.clone(),
            outcome: TryOutcome::Empty,
            elapsed: std::time::Duration::ZERO,
            matches: 0,
            confidence: None,
            components: None,
        };
        let mut elements = Vec::new();
        let matches = match &*self.compiled(strategy) {
            Ok(query) => doc.run(query, self.config.extract_limit),
            Err(error) => Err(error.clone()),
        };
        match matches {
            Err(Error::Invalid(message)) => attempt.outcome = TryOutcome::Invalid { message },
            Err(Error::Failed(message)) => attempt.outcome = TryOutcome::Failed { message },
            Ok(matches) if matches.count == 0 => {}
            Ok(matches) => {
                let components = Components::measure(
                    &matches,
                    strategy.expected.or(selector.expected),
                    selector.validate.as_ref(),
                    strategy.base_confidence,
                    index,
                );
                attempt.matches = matches.count;
                attempt.confidence = components.confidence(&self.config.weights);
                attempt.components = Some(components);
                attempt.outcome = self.judge(selector, &attempt, &matches.found);
                elements = matches.found;
            }
        }
        attempt.elapsed = started.elapsed();
        (attempt, elements)
    }

    fn judge(&self, selector: &Selector, attempt: &Try, found: &[Found]) -> TryOutcome {
        let components = attempt.components.unwrap_or_default();
        if let (Some(validator), Some(0.0)) = (&selector.validate, components.validation) {
            let value: String =
                found.first().map(|f| f.value.chars().take(60).collect()).unwrap_or_default();
            let reason = format!("expected {validator}, found {value:?}");
            return TryOutcome::ValidationFailed { reason };
        }
        let expected = selector.strategies[attempt.index].expected.or(selector.expected);
        let too_many = expected.and_then(|e| e.max).is_some_and(|max| attempt.matches > max);
        if too_many && components.count.is_some_and(|c| c < self.config.ambiguous_below) {
            return TryOutcome::Ambiguous { count: attempt.matches };
        }
        match attempt.confidence {
            Some(score) if score < selector.threshold => {
                TryOutcome::LowConfidence { score, threshold: selector.threshold }
            }
            _ => TryOutcome::Accepted,
        }
    }

    fn compiled(&self, strategy: &Strategy) -> Compiled {
        let mut cache = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(query) = cache.get(&strategy.kind).and_then(|by| by.get(&strategy.text)) {
            return Arc::clone(query);
        }
        drop(cache);
        let query = Arc::new(strategy.compile());
        cache = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.values().map(HashMap::len).sum::<usize>() >= self.config.cache_limit {
            cache.clear();
        }
        cache.entry(strategy.kind).or_default().insert(strategy.text.clone(), Arc::clone(&query));
        query
    }
}

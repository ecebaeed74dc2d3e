use crate::corpus;
use crate::recording::{Recording, Summary, summary};
use scraper::{ElementRef, Html, Selector};
use shop_site::{PATHS, Version, page};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::Collector;
use telemetry_integration::{ObservedSelector, ScraperObserver};
use telemetry_interfaces::{
    AttemptRecord, NoopObserver, OperationObserver, PageHandle, SelectorHandle, SelectorObserver,
};
use telemetry_models::{
    AttemptOutcome, Confidence, OperationKind, Outcome, PageContext, SelectorDefinition, Timestamp,
};
use telemetry_testkit::ManualClock;

const PAGE: &str = "<html><body><h1>Teapot</h1>\
    <ul><li>a</li><li>b</li><li class=last>c</li></ul></body></html>";

fn css(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

/// The events of what is done with a selector on [`PAGE`].
fn recorded(
    text: &str,
    act: impl FnOnce(&ScraperObserver<Collector>, &Html, ObservedSelector),
) -> Vec<Summary> {
    let recording = Recording::start();
    let telemetry = ScraperObserver::new(recording.collector.clone());
    let selector = telemetry.selector("it", css(text));
    act(&telemetry, &Html::parse_document(PAGE), selector);
    recording.events().iter().map(summary).collect()
}

#[test]
fn an_exhausted_selection_is_recorded_with_all_matches() {
    let all = recorded("li", |telemetry, html, selector| {
        assert_eq!(telemetry.select(html, None, &selector).count(), 3);
    });
    assert_eq!(all, [("it".into(), Outcome::Success, Some(3), vec![AttemptOutcome::Accepted])]);
    let none = recorded("h2", |telemetry, html, selector| {
        assert!(telemetry.select(html, None, &selector).next().is_none());
        assert!(telemetry.select(html, None, &selector.optional()).next().is_none());
    });
    let attempts = vec![AttemptOutcome::Empty];
    assert_eq!(
        none,
        [
            ("it".into(), Outcome::NotFound, Some(0), attempts.clone()),
            ("it".into(), Outcome::ExpectedAbsent, Some(0), attempts),
        ]
    );
}

#[test]
fn a_selection_that_was_stopped_early_is_a_success_of_at_least_so_many() {
    let recording = Recording::start();
    let telemetry = ScraperObserver::new(recording.collector.clone());
    let page = telemetry.enter(&PageContext::at("https://shop.test/c/1"));
    let html = Html::parse_document(PAGE);
    let items = telemetry.selector("items", css("ul > li"));
    assert_eq!(telemetry.select(&html, Some(page), &items).take(2).count(), 2);
    let list = html.select(&css("ul")).next().unwrap();
    assert_eq!(telemetry.select(list, Some(page), &items).count(), 3);
    let events = recording.events();
    assert_eq!(events[0].outcome, Outcome::Success);
    assert_eq!((events[0].elements_found(), events[0].attempts[0].elements), (Some(2), None));
    assert_eq!((events[1].elements_found(), events[1].attempts[0].elements), (Some(3), Some(3)));
    assert_eq!(events[0].attempts[0].text.as_deref(), Some("ul > li"));
    assert_eq!(events[0].site(), Some("shop.test"));
    assert_eq!(events[0].engine.as_deref(), Some("scraper"));
}

#[test]
fn a_selection_nobody_asks_is_no_operation() {
    let events = recorded("li", |telemetry, html, selector| {
        drop(telemetry.select(html, None, &selector));
        let asked_to_the_end = telemetry.select(html, None, &selector).by_ref().fuse().count();
        assert_eq!(asked_to_the_end, 3);
    });
    assert_eq!(events.len(), 1, "the one that was iterated, once");
}

#[test]
fn a_selection_that_a_panic_ends_is_recorded_as_panicked() {
    let events = recorded("li", |telemetry, html, selector| {
        let panicking = catch_unwind(AssertUnwindSafe(|| {
            for item in telemetry.select(html, None, &selector) {
                assert!(item.value().attr("class").is_some(), "the first has none");
            }
        }));
        assert!(panicking.is_err());
    });
    assert_eq!(events, [("it".into(), Outcome::Panicked, None, vec![])]);
}

#[test]
fn iteration_is_what_it_was() {
    fn text(element: ElementRef<'_>) -> String {
        element.html()
    }
    let telemetry = ScraperObserver::new(NoopObserver);
    for (version, path) in
        [Version::V1, Version::V2].into_iter().flat_map(|it| PATHS.iter().map(move |at| (it, at)))
    {
        let html = Html::parse_document(page(version, path).unwrap());
        for selector in ["a", "h1", "main *", "li:nth-child(2)", ".price", "nowhere", "a, b, p"] {
            let plain = css(selector);
            let observed = telemetry.selector(selector, plain.clone());
            let mut with = telemetry.select(&html, None, &observed);
            let mut without = html.select(&plain);
            loop {
                assert_eq!(with.size_hint(), without.size_hint());
                let (a, b) = (with.next(), without.next());
                assert_eq!(a, b, "{selector} on {path}");
                if a.is_none() {
                    break;
                }
            }
            assert!(with.next().is_none(), "fused as before");
            let back: Vec<_> = telemetry.select(&html, None, &observed).rev().map(text).collect();
            assert_eq!(back, html.select(&plain).rev().map(text).collect::<Vec<_>>());
            let mut ends = telemetry.select(&html, None, &observed);
            let mut plain_ends = html.select(&plain);
            assert_eq!(ends.next_back(), plain_ends.next_back());
            assert!(ends.eq(plain_ends), "the rest after one from the back");
            let body = html.root_element();
            assert!(telemetry.select(body, None, &observed).eq(body.select(&plain)));
        }
    }
}

#[test]
fn pages_of_real_sites_are_selected_from_as_before_and_recorded_as_found() {
    let Some(pages) = corpus::read("scraper: pages of real sites") else { return };
    let recording = Recording::start();
    let telemetry = ScraperObserver::new(recording.collector.clone());
    let mut counted = Vec::new();
    for page in &pages {
        let html = Html::parse_document(&String::from_utf8_lossy(page));
        for text in corpus::SELECTORS {
            let plain = css(text);
            let observed = telemetry.selector(text, plain.clone());
            assert!(telemetry.select(&html, None, &observed).eq(html.select(&plain)), "{text}");
            counted.push((text, html.select(&plain).count() as u64));
        }
    }
    corpus::compare(&recording, "scraper", &counted);
}

#[test]
fn a_selection_allocates_nothing_of_its_own() {
    let recording = Recording::start();
    let telemetry = ScraperObserver::new(recording.collector.clone());
    let html = Html::parse_document(PAGE);
    let page = telemetry.enter(&PageContext::at("https://shop.test/"));
    for text in ["li", "li.last", "h2"] {
        let plain = css(text);
        let observed = telemetry.selector(text, plain.clone());
        let with = || telemetry.select(&html, Some(page), &observed).count();
        // The first operation of a thread and of a chunk make room for the others.
        with();
        recording.events();
        let before = allocation_counter::measure(|| assert!(html.select(&plain).count() < 4));
        let after = allocation_counter::measure(|| assert!(with() < 4));
        assert_eq!(after.count_total, before.count_total, "{text}");
    }
}

/// Keeps the attempts of operations timed by a clock that moves with every look at it.
#[derive(Clone)]
struct Stopwatch {
    clock: Arc<ManualClock>,
    attempts: Arc<parking_lot::Mutex<Vec<AttemptRecord>>>,
}

struct Timed {
    by: Stopwatch,
    began: Duration,
}

impl Stopwatch {
    fn look(&self) -> Duration {
        self.clock.advance(Duration::from_micros(1));
        telemetry_interfaces::Clock::monotonic(&*self.clock)
    }
}

impl SelectorObserver for Stopwatch {
    type Operation = Timed;

    fn selector(&self, _definition: &SelectorDefinition) -> SelectorHandle {
        SelectorHandle(0)
    }
    fn page(&self, _page: &PageContext) -> PageHandle {
        PageHandle(0)
    }
    fn start(
        &self,
        _engine: &str,
        _selector: SelectorHandle,
        _page: Option<PageHandle>,
        _operation: OperationKind,
    ) -> Timed {
        Timed { began: self.look(), by: self.clone() }
    }
}

impl OperationObserver for Timed {
    fn elapsed(&self) -> Option<Duration> {
        Some(self.by.look() - self.began)
    }
    fn attempt(&mut self, attempt: AttemptRecord) {
        self.by.attempts.lock().push(attempt);
    }
    fn confidence(&mut self, _confidence: Confidence) {}
    fn elements(&mut self, _elements: u32) {}
    fn validation(&mut self, _passed: bool) {}
    fn error(&mut self, _kind: &str, _message: &str) {}
    fn finish(self, _outcome: Outcome) {}
}

#[test]
fn the_attempt_lasts_until_the_first_element_or_until_there_is_none() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
    let attempts = Arc::default();
    let watch = Stopwatch { clock: clock.clone(), attempts: Arc::clone(&attempts) };
    let telemetry = ScraperObserver::new(watch);
    let html = Html::parse_document(PAGE);
    let items = telemetry.selector("items", css("li"));
    for _ in telemetry.select(&html, None, &items) {
        clock.advance(Duration::from_millis(5));
    }
    assert!(telemetry.select(&html, None, &telemetry.selector("none", css("h2"))).next().is_none());
    let elapsed: Vec<_> = attempts.lock().iter().map(|attempt| attempt.elapsed).collect();
    assert_eq!(elapsed, [Some(Duration::from_micros(1)); 2], "the caller's work is not in it");
}

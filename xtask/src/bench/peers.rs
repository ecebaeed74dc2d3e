//! Other ways to record the same operation: what a program would use without this project. Twelve
//! fields each, as the names of OpenTelemetry export say them; what is exported is discarded.

use super::rounds::Row;
use fastrace::collector::Reporter;
use fastrace::prelude::{LocalSpan, SpanContext, SpanRecord};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Dispatch, Subscriber, dispatcher};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

pub(super) const NAMES: [&str; 6] = [
    "fastrace, local span, 12 properties",
    "opentelemetry, span, 12 attributes, batch processor",
    "tracing, span, 12 fields, layer that keeps them",
    "tracing, JSON to a non-blocking writer",
    "metrics, cached counter and histogram",
    "owned strings over a channel",
];

pub(super) fn rows() -> Vec<Row<'static>> {
    vec![fastrace(), opentelemetry(), recording_layer(), json_lines(), metrics(), strings()]
}

struct Nothing;

impl Reporter for Nothing {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        black_box(spans);
    }
}

const PROPERTIES: [(&str, &str); 12] = [
    ("selector.id", "shop.listing.item.price"),
    ("selector.text", "#item > span.price"),
    ("selector.strategy", "css"),
    ("selector.operation.name", "resolution"),
    ("selector.outcome", "success"),
    ("selector.returned_elements", "1"),
    ("selector.confidence", "1.0"),
    ("selector.fallback.depth", "0"),
    ("url.full", "https://shop.test/category/shoes/item-1"),
    ("url.template", "/category/shoes/item-{n}"),
    ("session.id", "4711"),
    ("engine", "bench"),
];

fn fastrace() -> Row<'static> {
    ::fastrace::set_reporter(Nothing, ::fastrace::collector::Config::default());
    let operate = |operations: usize| {
        let root = ::fastrace::Span::root("page", SpanContext::random());
        let _parent = root.set_local_parent();
        for _ in 0..operations {
            let span =
                LocalSpan::enter_with_local_parent("selector").with_properties(|| PROPERTIES);
            black_box(&span);
        }
    };
    Row::new(NAMES[0], operate).settle(::fastrace::flush).carries_event()
}

#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        black_box(batch);
        Ok(())
    }
}

fn opentelemetry() -> Row<'static> {
    let provider = SdkTracerProvider::builder().with_batch_exporter(Nowhere).build();
    let tracer = provider.tracer("bench");
    let operate = move |operations: usize| {
        for _ in 0..operations {
            let attributes = PROPERTIES.map(|(key, value)| KeyValue::new(key, value)).to_vec();
            let mut span =
                tracer.span_builder("selector").with_attributes(attributes).start(&tracer);
            span.end();
        }
    };
    let settle = move || drop(provider.force_flush());
    Row::new(NAMES[1], operate).settle(settle).carries_event()
}

/// A layer that keeps the twelve numbers of a span with its two times, and hands them on in
/// chunks. It keeps no text: the least a layer could do.
struct Keeping {
    kept: Mutex<Vec<Kept>>,
}

struct Kept {
    begun: Instant,
    ended: Option<Instant>,
    fields: [u64; 12],
    len: usize,
}

impl Kept {
    fn push(&mut self, value: u64) {
        if let Some(field) = self.fields.get_mut(self.len) {
            *field = value;
            self.len += 1;
        }
    }
}

impl Visit for Kept {
    fn record_f64(&mut self, _field: &Field, value: f64) {
        self.push(value.to_bits());
    }
    fn record_u64(&mut self, _field: &Field, value: u64) {
        self.push(value);
    }
    fn record_i64(&mut self, _field: &Field, value: i64) {
        self.push(value.cast_unsigned());
    }
    fn record_str(&mut self, _field: &Field, value: &str) {
        self.push(value.len() as u64);
    }
    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Keeping {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut kept = Kept { begun: Instant::now(), ended: None, fields: [0; 12], len: 0 };
        attributes.record(&mut kept);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(kept);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(mut kept) = span.extensions_mut().remove::<Kept>() else { return };
        kept.ended = Some(Instant::now());
        if let Ok(mut all) = self.kept.lock() {
            all.push(kept);
            if all.len() == 256 {
                for kept in all.iter() {
                    black_box((kept.begun, kept.ended, kept.fields));
                }
                all.clear();
            }
        }
    }
}

fn recording_layer() -> Row<'static> {
    let layer = Keeping { kept: Mutex::new(Vec::with_capacity(256)) };
    let dispatch = Dispatch::new(tracing_subscriber::registry().with(layer));
    let operate = move |operations: usize| {
        dispatcher::with_default(&dispatch, || {
            for _ in 0..operations {
                let span = tracing::info_span!(
                    "selector",
                    selector = "shop.listing.item.price",
                    text = "#item > span.price",
                    strategy = "css",
                    operation = "resolution",
                    outcome = "success",
                    elements = 1_u64,
                    confidence = 1.0_f64,
                    depth = 0_u64,
                    url = "https://shop.test/category/shoes/item-1",
                    template = "/category/shoes/item-{n}",
                    session = 4_711_u64,
                    engine = "bench",
                );
                drop(span);
            }
        });
    };
    Row::new(NAMES[2], operate).carries_event()
}

fn json_lines() -> Row<'static> {
    let (writer, guard) = tracing_appender::non_blocking(std::io::sink());
    let subscriber = tracing_subscriber::fmt().json().with_writer(writer).finish();
    let dispatch = Dispatch::new(subscriber);
    let operate = move |operations: usize| {
        let _writes = &guard;
        dispatcher::with_default(&dispatch, || {
            for _ in 0..operations {
                tracing::info!(
                    selector = "shop.listing.item.price",
                    text = "#item > span.price",
                    strategy = "css",
                    operation = "resolution",
                    outcome = "success",
                    elements = 1_u64,
                    confidence = 1.0_f64,
                    depth = 0_u64,
                    url = "https://shop.test/category/shoes/item-1",
                    template = "/category/shoes/item-{n}",
                    session = 4_711_u64,
                    engine = "bench",
                );
            }
        });
    };
    // Its writer cannot be asked to catch up.
    let settle = || std::thread::sleep(Duration::from_millis(2));
    Row::new(NAMES[3], operate).settle(settle).carries_event()
}

/// Counts by power of two, as cheap as a histogram can be.
struct Octaves([AtomicU64; 64]);

impl ::metrics::HistogramFn for Octaves {
    fn record(&self, value: f64) {
        let at = (value.to_bits() >> 52) as usize & 63;
        self.0[at].fetch_add(1, Ordering::Relaxed);
    }
}

fn metrics() -> Row<'static> {
    let counter = ::metrics::Counter::from_arc(Arc::new(AtomicU64::new(0)));
    let octaves = Octaves(std::array::from_fn(|_| AtomicU64::new(0)));
    let histogram = ::metrics::Histogram::from_arc(Arc::new(octaves));
    let clock = quanta::Clock::new();
    Row::new(NAMES[4], move |operations| {
        for _ in 0..operations {
            let begun = clock.raw();
            let elapsed = clock.delta_as_nanos(begun, clock.raw());
            counter.increment(1);
            histogram.record(elapsed as f64);
        }
    })
}

struct Strings {
    selector: String,
    text: String,
    strategy: String,
    outcome: String,
    url: String,
    session: String,
    elements: u64,
    confidence: f64,
    begun: Instant,
    elapsed: Duration,
}

fn strings() -> Row<'static> {
    let (sender, receiver) = mpsc::sync_channel::<Strings>(65_536);
    std::thread::spawn(move || {
        for event in receiver {
            let Strings { selector, text, strategy, outcome, url, session, .. } = &event;
            black_box((selector, text, strategy, outcome, url, session));
            black_box((event.elements, event.confidence, event.begun, event.elapsed));
        }
    });
    let operate = move |operations: usize| {
        for _ in 0..operations {
            let begun = Instant::now();
            let event = Strings {
                selector: PROPERTIES[0].1.to_owned(),
                text: PROPERTIES[1].1.to_owned(),
                strategy: PROPERTIES[2].1.to_owned(),
                outcome: PROPERTIES[4].1.to_owned(),
                url: PROPERTIES[8].1.to_owned(),
                session: PROPERTIES[10].1.to_owned(),
                elements: 1,
                confidence: 1.0,
                begun,
                elapsed: begun.elapsed(),
            };
            drop(sender.send(event));
        }
    };
    let settle = || std::thread::sleep(Duration::from_millis(1));
    Row::new(NAMES[5], operate).settle(settle).carries_event()
}

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Mutex, OnceLock};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A span or an event as it was told, with its fields.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) target: String,
    pub(crate) level: Level,
    pub(crate) fields: BTreeMap<String, String>,
}

impl Line {
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.fields {
            let _ = write!(text, "{name}={value} ");
        }
        text
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name().into(), format!("{value:?}"));
    }
}

struct Heard(Mutex<Vec<Line>>);

/// Hears everything of this system's own targets.
struct Listener(&'static Heard);

impl Listener {
    fn hear(&self, metadata: &Metadata<'_>, fill: impl FnOnce(&mut Line)) {
        let mut line = Line {
            target: metadata.target().into(),
            level: *metadata.level(),
            fields: BTreeMap::new(),
        };
        fill(&mut line);
        self.0.0.lock().unwrap().push(line);
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("telemetry")
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.hear(span.metadata(), |line| span.record(line));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        self.hear(event.metadata(), |line| event.record(line));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Listens from now on; the pipelines' threads too, so it is for the whole process.
pub(crate) fn listen() {
    heard();
}

fn heard() -> &'static Heard {
    static HEARD: OnceLock<&'static Heard> = OnceLock::new();
    HEARD.get_or_init(|| {
        let heard: &'static Heard = Box::leak(Box::new(Heard(Mutex::default())));
        tracing::subscriber::set_global_default(Listener(heard)).unwrap();
        heard
    })
}

/// What was told about a run.
pub(crate) fn about(run: &str) -> Vec<Line> {
    let lines = heard().0.lock().unwrap();
    lines
        .iter()
        .filter(|line| line.fields.get("run").is_some_and(|it| it == run))
        .cloned()
        .collect()
}

use crate::commands::query::tone;
use crate::console::{Console, Tone};
use crate::figures;
use crate::plain::plain;
use crate::table::{Cell, Column, Table};
use std::fmt::Display;
use std::io;
use telemetry_runtime::models::{Attempt, AttemptOutcome, Event};

/// One event in full.
pub(crate) fn show(event: &Event, console: &mut Console) -> io::Result<()> {
    let mut fields = Fields(Vec::new());
    fields.add("event", &event.id);
    fields.add("selector", &event.selector);
    fields.maybe("selector version", event.selector_version);
    fields.add("time", event.timestamp);
    fields.add("operation", event.operation);
    fields.toned("outcome", event.outcome, tone(event.outcome));
    fields.maybe("correlation", event.correlation_id.as_ref());
    fields.maybe("run", event.run.as_ref());
    fields.maybe("producer", event.producer.as_ref());
    fields.maybe("sequence", event.sequence);
    fields.maybe("engine", event.engine.as_ref());
    timing(event, &mut fields);
    quality(event, &mut fields);
    page(event, &mut fields);
    error(event, &mut fields);
    for (key, value) in &event.attributes {
        fields.add(&format!("attribute {key}"), value);
    }
    fields.write(console)?;
    if event.attempts.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let mut table = Table::new([
        Column::number("TRY"),
        Column::text("STRATEGY"),
        Column::long("SELECTOR TEXT"),
        Column::text("OUTCOME"),
        Column::number("MS"),
        Column::number("CONF"),
        Column::number("FOUND"),
        Column::text("SHADOW"),
    ]);
    for (at, attempt) in event.attempts.iter().enumerate() {
        table.row(console, row(at + 1, attempt))?;
    }
    table.end(console)
}

fn row(number: usize, attempt: &Attempt) -> [Cell; 8] {
    let tone = match attempt.outcome {
        AttemptOutcome::Accepted => Tone::Good,
        AttemptOutcome::Skipped => Tone::Faint,
        _ => Tone::Bad,
    };
    [
        number.to_string().into(),
        attempt.kind.as_str().into(),
        Cell::maybe(attempt.text.as_ref()),
        Cell::toned(attempt.outcome.as_str(), tone),
        Cell::maybe(attempt.duration.map(figures::duration_ms)),
        Cell::maybe(attempt.confidence.map(|it| format!("{:.2}", it.get()))),
        Cell::maybe(attempt.elements),
        match attempt.shadow {
            Some(probe) => format!("p = {}", probe.probability.get()).into(),
            None => "".into(),
        },
    ]
}

fn timing(event: &Event, fields: &mut Fields) {
    let ms = |duration| format!("{} ms", figures::duration_ms(duration));
    fields.maybe("total time", event.timing.total.map(ms));
    fields.maybe("resolution time", event.timing.resolution.map(ms));
    fields.maybe("strategies' time", event.timing.strategies.map(ms));
    fields.maybe("memory", event.resources.memory_mb.map(|mb| format!("{mb} MiB")));
    fields.maybe("CPU", event.resources.cpu_percent.map(|percent| format!("{percent} %")));
    fields.maybe("network requests", event.resources.network_requests);
    fields.maybe("DOM operations", event.resources.dom_operations);
}

fn quality(event: &Event, fields: &mut Fields) {
    fields.maybe("confidence", event.confidence().map(|it| format!("{:.3}", it.get())));
    fields.maybe("elements found", event.elements_found());
    fields.maybe("validation passed", event.quality.validation_passed);
    fields.maybe("drift detected", event.quality.drift_detected);
    fields.maybe("fallback depth", event.fallback_depth());
}

fn page(event: &Event, fields: &mut Fields) {
    let Some(page) = event.page.as_deref() else { return };
    fields.maybe("URL", page.url.as_ref());
    fields.maybe("URL template", page.url_template.as_ref());
    fields.maybe("page title", page.title.as_ref());
    fields.maybe("session", page.session.as_ref());
    fields.maybe("tab", page.tab.as_ref());
    fields.maybe("user agent", page.user_agent.as_ref());
    fields.maybe("viewport", page.viewport.map(|it| format!("{} × {}", it.width, it.height)));
    fields.maybe("page entered", page.entered_at);
}

fn error(event: &Event, fields: &mut Fields) {
    let Some(error) = &event.error else { return };
    fields.add("error", &error.kind);
    fields.maybe("error message", error.message.as_ref());
    fields.maybe("retries", error.retry_attempts);
    fields.maybe("fallbacks tried", error.fallback_attempts);
    fields.maybe("recovered", error.recovery_successful);
    for line in error.stack.iter().flat_map(|stack| stack.lines()) {
        fields.add("stack", line);
    }
}

/// Names and values, aligned.
pub(crate) struct Fields(pub(crate) Vec<(String, String, Tone)>);

impl Fields {
    /// A value.
    pub(crate) fn add(&mut self, name: &str, value: impl Display) {
        self.toned(name, value, Tone::Normal);
    }

    /// A value in a colour.
    pub(crate) fn toned(&mut self, name: &str, value: impl Display, tone: Tone) {
        let value = value.to_string();
        self.0.push((plain(name).into_owned(), plain(&value).into_owned(), tone));
    }

    /// A value that is left out when it is absent.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// Writes one line each.
    pub(crate) fn write(&self, console: &mut Console) -> io::Result<()> {
        let width = self.0.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
        for (name, value, tone) in &self.0 {
            let padded = console.paint(Tone::Faint, format_args!("{name:width$}"));
            let value = console.paint(*tone, value);
            console.line(format!("{padded}  {value}").trim_end())?;
        }
        Ok(())
    }
}

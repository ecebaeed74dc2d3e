//! Drawings, as inline SVG. Faults hang below the line and successes stand above it, so that no
//! drawing depends on colour.

use super::markup::Markup;
use crate::text;
use telemetry_models::report::{Days, Finding, Series, VerdictLevel};
use telemetry_models::{Signal, Timestamp};

/// Most bars of a small drawing.
const BARS: usize = 32;
const BAR_WIDTH: usize = 4;
const UP: u64 = 16;
const DOWN: u64 = 8;
/// The drawing beside a finding.
const CHART_BARS: usize = 64;
const CHART_WIDTH: f64 = 240.0;
const CHART_UP: u64 = 32;
const CHART_DOWN: u64 = 18;

/// Heights of successes (up, 0 to 16) and faults (down, 0 to 8) over time; `None` when nothing tested
/// the selector.
pub(super) fn spark_levels(series: &Series) -> Option<(Vec<u64>, Vec<u64>)> {
    let (verdicts, faults) = summed(series, BARS);
    let most = verdicts.iter().copied().max().filter(|it| *it > 0)?;
    let up = verdicts.iter().zip(&faults).map(|(n, faults)| scaled(n - faults, most, UP));
    let down = faults.iter().map(|it| scaled(*it, most, DOWN));
    Some((up.collect(), down.collect()))
}

/// Successes (up) and faults (down) over time, as two outlines of steps. Beside it stand the same
/// numbers in words, so it has no label.
pub(super) fn spark(page: &mut Markup, series: &Series) {
    let Some((up, down)) = spark_levels(series) else {
        page.raw("<span class=none>no data</span>");
        return;
    };
    let good = up.iter().map(|it| UP - it);
    page.raw("<svg class=k aria-hidden=true><path d=\"").text(outline(UP, BAR_WIDTH, good));
    page.raw("\"/>");
    if down.iter().any(|it| *it > 0) {
        let bad = down.iter().map(|it| UP + 1 + it);
        page.raw("<path class=b d=\"").text(outline(UP + 1, BAR_WIDTH, bad)).raw("\"/>");
    }
    page.raw("</svg>");
}

/// The outline of steps above or below a line; what lies on the line takes no room.
fn outline(line: u64, step: usize, heights: impl Iterator<Item = u64>) -> String {
    let mut path = format!("M0 {line}");
    let (mut at, mut width) = (line, 0);
    for height in heights {
        if height != at {
            if width > 0 {
                path.push_str(&format!("h{width}"));
            }
            path.push_str(&format!("V{height}"));
            (at, width) = (height, 0);
        }
        width += step;
    }
    if at != line {
        path.push_str(&format!("h{width}V{line}"));
    }
    path
}

/// A column for each day: what hangs down is the share of faults. The style sheet cuts the gaps
/// between the columns.
pub(super) fn days(page: &mut Markup, days: &Days) {
    const WIDTH: usize = 7;
    const HEIGHT: u64 = 18;
    if days.verdicts.iter().all(|it| *it == 0) {
        page.raw("<span class=none>no data</span>");
        return;
    }
    let used = days.verdicts.iter().map(|n| if *n > 0 { HEIGHT } else { 0 });
    let bad = days.verdicts.iter().zip(&days.successes);
    let bad: Vec<u64> = bad.map(|(n, good)| scaled(n - good, *n, HEIGHT)).collect();
    let (n, good): (u64, u64) = (days.verdicts.iter().sum(), days.successes.iter().sum());
    page.raw("<svg class=days role=img width=").text(days.verdicts.len() * WIDTH);
    page.raw(" height=").text(HEIGHT).raw(" aria-label=\"");
    page.text(format!(
        "{} with operations; {} succeeded, {} failed",
        text::counted(days.verdicts.iter().filter(|it| **it > 0).count() as u64, "day"),
        text::count(good),
        text::count(n - good)
    ))
    .raw("\"><path class=u d=\"")
    .text(outline(0, WIDTH, used))
    .raw("\"/>");
    if bad.iter().any(|it| *it > 0) {
        page.raw("<path class=b d=\"").text(outline(0, WIDTH, bad.into_iter())).raw("\"/>");
    }
    page.raw("</svg>");
}

/// Operations that tested the selector, and faults, in at most `most` steps.
fn summed(series: &Series, most: usize) -> (Vec<u64>, Vec<u64>) {
    let each = series.verdicts.len().div_ceil(most).max(1);
    let sums = |counts: &[u64]| counts.chunks(each).map(|chunk| chunk.iter().sum()).collect();
    (sums(&series.verdicts), sums(&series.faults))
}

/// What a finding is about over time, with a mark where it began: the values of its signal, or
/// successes and faults for signals without a series.
pub(super) fn chart(page: &mut Markup, series: &Series, finding: &Finding) {
    let signal = finding.after.map(|it| it.signal);
    let (values, name) = match signal {
        Some(Signal::DurationMs) => (&series.p50_ms, "Median time"),
        Some(Signal::FallbackRate) => (&series.fallback_share, "Share of fallbacks"),
        Some(Signal::Confidence) => (&series.confidence, "Mean confidence"),
        _ => return bars(page, series, CHART_BARS, (CHART_UP, CHART_DOWN), finding.since),
    };
    let known = || values.iter().flatten().copied();
    let top = if signal == Some(Signal::DurationMs) { known().fold(0.0, f64::max) } else { 1.0 };
    if top <= 0.0 {
        page.raw("<span class=none>no data</span>");
        return;
    }
    let (height, step) = (CHART_UP + CHART_DOWN, CHART_WIDTH / values.len().max(1) as f64);
    let y = |value: f64| tenth(height as f64 - value / top * (height - 2) as f64);
    let (mut line, mut area) = (String::new(), String::new());
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else { continue };
        let (x, y) = (tenth(at as f64 * step), y(*value));
        let joins = at > 0 && values[at - 1].is_some();
        line.push_str(&if joins { format!("L{x} {y}") } else { format!("M{x} {y}") });
        line.push_str(&format!("h{}", tenth(step)));
        area.push_str(&format!("M{x} {height}V{y}h{}V{height}z", tenth(step)));
    }
    open(page, CHART_WIDTH as usize, height + 1, "chart");
    page.text(name)
        .raw(" over time\"><path class=a d=\"")
        .text(area)
        .raw("\"/><path class=l d=\"")
        .text(line)
        .raw("\"/><path class=x d=\"M0 ")
        .text(height)
        .raw("h")
        .text(CHART_WIDTH)
        .raw("\"/>");
    if let Some(at) = step_of(series, finding.since) {
        page.raw("<path class=s d=\"M").text(tenth(at as f64 * step)).raw(" 0V").text(height);
        page.raw("\"/>");
    }
    page.raw("</svg>");
}

fn bars(
    page: &mut Markup,
    series: &Series,
    most_bars: usize,
    (up, down): (u64, u64),
    since: Option<Timestamp>,
) {
    let per_bar = series.verdicts.len().div_ceil(most_bars).max(1);
    let (verdicts, faults) = summed(series, most_bars);
    let most = verdicts.iter().copied().max().unwrap_or(0);
    if most == 0 {
        page.raw("<span class=none>no data</span>");
        return;
    }
    let good: Vec<u64> =
        verdicts.iter().zip(&faults).map(|(n, bad)| up - scaled(n - bad, most, up)).collect();
    let bad: Vec<u64> = faults.iter().map(|it| up + 1 + scaled(*it, most, down)).collect();
    let width = verdicts.len() * BAR_WIDTH;
    let (n, failed): (u64, u64) = (verdicts.iter().sum(), faults.iter().sum());
    open(page, width, up + down + 1, "spark");
    page.text(format!("{} succeeded, {} failed", text::count(n - failed), text::count(failed)))
        .raw("\">");
    page.raw("<path class=g d=\"").text(outline(up, BAR_WIDTH, good.into_iter())).raw("\"/>");
    if failed > 0 {
        let bad = outline(up + 1, BAR_WIDTH, bad.into_iter());
        page.raw("<path class=b d=\"").text(bad).raw("\"/>");
    }
    if let Some(at) = step_of(series, since) {
        let x = at / per_bar * BAR_WIDTH;
        page.raw("<path class=s d=\"M").text(x).raw(" 0v").text(up + down + 1).raw("\"/>");
    }
    page.raw("</svg>");
}

/// Opens a drawing up to its label.
fn open(page: &mut Markup, width: usize, height: u64, class: &'static str) {
    page.raw("<svg class=")
        .raw(class)
        .raw(" role=img viewBox=\"0 0 ")
        .text(width)
        .raw(" ")
        .text(height)
        .raw("\" width=")
        .text(width)
        .raw(" height=")
        .text(height)
        .raw(" aria-label=\"");
}

/// A sign for the verdict: each level has its own shape.
pub(super) fn sign(page: &mut Markup, level: VerdictLevel) {
    page.raw("<svg class=sign aria-hidden=true viewBox=\"0 0 48 48\" width=48 height=48>").raw(
        match level {
            VerdictLevel::Healthy => "<circle cx=24 cy=24 r=21 /><path d=\"M14 25l7 7 13-15\"/>",
            VerdictLevel::Attention => {
                "<path class=f d=\"M24 4l21 38H3z\"/><path d=\"M24 18v12m0 5v1\"/>"
            }
            VerdictLevel::Failing => {
                "<rect x=4 y=4 width=40 height=40 rx=8 /><path d=\"M16 16l16 16m0-16l-16 16\"/>"
            }
            VerdictLevel::NoData => {
                "<circle cx=24 cy=24 r=21 stroke-dasharray=\"5 4\"/><path d=\"M15 24h18\"/>"
            }
        },
    );
    page.raw("</svg>");
}

/// At least 1 for anything above 0.
fn scaled(value: u64, most: u64, size: u64) -> u64 {
    if value == 0 || most == 0 {
        return 0;
    }
    ((value as f64 / most as f64 * size as f64).round() as u64).max(1)
}

/// The step in which a moment lies.
fn step_of(series: &Series, at: Option<Timestamp>) -> Option<usize> {
    let (start, at) = (series.start?, at?);
    if at < start {
        return None;
    }
    let step = usize::try_from(at.since(start).as_secs() / series.step_s.max(1)).ok()?;
    (step < series.verdicts.len()).then_some(step)
}

fn tenth(value: f64) -> f64 {
    text::rounded(value, 1)
}

//! What a change would save: dots with intervals on one scale.

use super::markup::Markup;
use super::{overview, sheets};
use crate::sheet::{Sheet, basis, effect};
use crate::text::{count, millis, rounded};
use telemetry_models::report::{Estimate, Recommendation, Recommendations};

/// Cards that are shown at once.
const OPEN_CARDS: usize = 7;
/// Width of the scale.
const WIDTH: f64 = 240.0;

pub(super) fn opportunities(page: &mut Markup, it: &Recommendations, sheet: &Sheet) {
    page.raw("<section aria-labelledby=opportunities><h2 id=opportunities>Opportunities</h2>");
    for paragraph in &sheet.paragraphs {
        page.raw("<p>").text(paragraph).raw("</p>");
    }
    let savings = it.cards.iter().filter_map(|card| card.saving_ms_per_day);
    let most = savings.map(|it| it.high).fold(0.0, f64::max);
    if !it.cards.is_empty() {
        page.raw(
            "<p class=\"soft small\">The dot is the expected saving a day, the line its 95% \
             interval; all stand on one scale from 0.</p><ol class=cards>",
        );
        let (open, rest) = it.cards.split_at(it.cards.len().min(OPEN_CARDS));
        for card in open {
            self::card(page, card, most);
        }
        page.raw("</ol>");
        if !rest.is_empty() {
            page.raw("<details><summary>").text(count(rest.len() as u64));
            page.raw(" smaller ones</summary><div><ol class=cards>");
            for card in rest {
                self::card(page, card, most);
            }
            page.raw("</ol></div></details>");
        }
    }
    if it.cards_omitted > 0 {
        page.raw("<p class=\"soft small\">").text(count(it.cards_omitted)).raw(" more.</p>");
    }
    // The cards say what the first table says.
    let skipped = usize::from(!it.cards.is_empty());
    for table in sheet.tables.iter().skip(skipped) {
        sheets::table(page, table);
    }
    page.raw("</section>\n");
}

fn card(page: &mut Markup, card: &Recommendation, most: f64) {
    page.raw("<li class=low><div class=card><div><h3>").code(&card.selector).raw(" ");
    page.text(card.kind.as_str().replace('_', " ")).raw("</h3><p class=meta><span>effort ");
    page.text(card.effort).raw("</span>");
    if let Some(site) = &card.site {
        page.raw("<span>").text(site).raw("</span>");
    }
    page.raw("</p><p class=what>").text(&card.change).raw(" ").text(&card.why).raw("</p>");
    page.raw("<p class=small>Success: ").text(effect(card)).raw(". Basis: ");
    page.text(basis(card)).raw(".</p><details><summary>Change and evidence</summary><div><pre>");
    for line in &card.diff {
        page.text(line).raw("\n");
    }
    page.raw("</pre><p class=small>To undo: ").text(&card.undo).raw("</p>");
    overview::ids(page, &card.evidence);
    page.raw("</div></details></div><div class=draw><p class=fig>");
    match &card.saving_ms_per_day {
        Some(it) => {
            page.raw("<b>").text(millis(it.value)).raw("</b></p><p class=\"soft small\">");
            page.text(format!("[{} to {}] a day", millis(it.low), millis(it.high))).raw("</p>");
            dot(page, it, most);
        }
        None => {
            page.raw("<span class=none>saves no time</span></p>");
        }
    }
    page.raw("</div></div>\n");
}

fn dot(page: &mut Markup, it: &Estimate, most: f64) {
    let x = |value: f64| rounded(value.max(0.0) / most.max(f64::MIN_POSITIVE) * WIDTH + 4.0, 1);
    page.raw("<svg class=iv aria-hidden=true viewBox=\"0 0 250 14\" width=250 height=14>")
        .raw("<path class=a d=\"M4 7h240\"/><path class=r d=\"M")
        .text(x(it.low))
        .raw(" 7H")
        .text(x(it.high))
        .raw("\"/><circle cx=")
        .text(x(it.value))
        .raw(" cy=7 r=5 /></svg>");
}

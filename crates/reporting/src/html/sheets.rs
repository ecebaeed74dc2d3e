//! Sections that are plain tables.

use super::markup::{Head, Markup};
use crate::sheet::{Cell, Sheet, Table};
use crate::text::count;

/// Rows shown at once; the rest of a table opens on demand.
const OPEN_ROWS: usize = 8;
/// A text longer than this is not written again in the next row.
const MANY_BYTES: usize = 40;

pub(super) fn sheet(page: &mut Markup, sheet: &Sheet) {
    page.raw("<section aria-labelledby=").raw(sheet.id).raw("><h2 id=").raw(sheet.id).raw(">");
    page.raw(sheet.title).raw("</h2>");
    for paragraph in &sheet.paragraphs {
        page.raw("<p>").text(paragraph).raw("</p>");
    }
    for it in &sheet.tables {
        table(page, it);
    }
    page.raw("</section>\n");
}

pub(super) fn table(page: &mut Markup, it: &Table) {
    page.raw("<h3>").text(&it.title).raw("</h3>");
    if it.rows.is_empty() {
        page.raw("<p class=none>None.</p>");
        return;
    }
    rows(page, it, &it.rows[..it.rows.len().min(OPEN_ROWS)], &it.title);
    if it.rows.len() > OPEN_ROWS {
        let rest = &it.rows[OPEN_ROWS..];
        page.raw("<details><summary>").text(count(rest.len() as u64)).raw(" more</summary><div>");
        rows(page, it, rest, &format!("{}, continued", it.title));
        page.raw("</div></details>");
    }
    if it.omitted > 0 {
        page.raw("<p class=\"soft small\">").text(count(it.omitted)).raw(" more, not listed.</p>");
    }
}

fn rows(page: &mut Markup, it: &Table, rows: &[Vec<Cell>], label: &str) {
    let first = rows.first().map(Vec::as_slice).unwrap_or_default();
    let head: Head = it.head.iter().zip(first).map(|(name, it)| (*name, it.is_number())).collect();
    page.raw("<div class=wide role=group tabindex=0 aria-label=\"").text(label);
    page.raw("\"><table class=\"plainest ").columns(&head).raw("\"><thead><tr>");
    for (name, number) in &head {
        page.raw(if *number { "<th scope=col class=n>" } else { "<th scope=col>" }).raw(name);
    }
    page.raw("<tbody>");
    let mut above: &[Cell] = &[];
    for row in rows {
        page.raw("<tr>");
        for (at, cell) in row.iter().enumerate() {
            page.raw(if at == 0 { "<th scope=row>" } else { "<td>" });
            if repeats(above.get(at), cell) {
                page.raw("<span class=soft>as above</span>");
            } else {
                self::cell(page, cell);
            }
        }
        above = row;
    }
    page.raw("</table></div>");
}

/// Whether a long text stands in the row above already.
fn repeats(above: Option<&Cell>, cell: &Cell) -> bool {
    match (above, cell) {
        (Some(Cell::Text(above)), Cell::Text(text)) => above == text && text.len() > MANY_BYTES,
        _ => false,
    }
}

fn cell(page: &mut Markup, cell: &Cell) {
    match cell {
        Cell::Name(Some(selector), site) => {
            page.code(selector);
            if let Some(site) = site {
                page.raw("<small>").text(site).raw("</small>");
            }
        }
        Cell::Name(None, Some(site)) => {
            page.code(site);
        }
        Cell::Name(None, None) => {
            page.raw("<span class=none>without a site</span>");
        }
        Cell::Code(text) => {
            page.code(text);
        }
        Cell::Text(text) | Cell::Number(text) => {
            page.text(text);
        }
        Cell::Share(share, text) => {
            let width = (share.clamp(0.0, 1.0) * 100.0).round();
            page.raw("<span>").text(text).raw("<i class=m style=--w:").text(width);
            page.raw("></i></span>");
        }
    }
}

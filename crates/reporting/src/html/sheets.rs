//! Sections that are plain tables.

use super::markup::Markup;
use crate::sheet::{Cell, Sheet, Table};
use crate::text::count;

/// Rows shown at once; the rest of a table opens on demand.
const OPEN_ROWS: usize = 8;

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
    page.raw("<div class=wide role=group tabindex=0 aria-label=\"").text(label);
    page.raw("\"><table class=plainest><thead><tr>");
    let first = rows.first().map(Vec::as_slice).unwrap_or_default();
    for (head, cell) in it.head.iter().zip(first) {
        page.raw(if cell.is_number() { "<th scope=col class=n>" } else { "<th scope=col>" });
        page.raw(head);
    }
    page.raw("<tbody>");
    for row in rows {
        page.raw("<tr>");
        for (at, cell) in row.iter().enumerate() {
            match (at, cell.is_number()) {
                (0, _) => page.raw("<th scope=row>"),
                (_, true) => page.raw("<td class=n data-l=\"").raw(it.head[at]).raw("\"><span>"),
                (_, false) => page.raw("<td data-l=\"").raw(it.head[at]).raw("\"><span>"),
            };
            self::cell(page, cell);
            if at > 0 {
                page.raw("</span>");
            }
        }
    }
    page.raw("</table></div>");
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
            page.text(text).raw("<i class=m style=--w:").text(width).raw("></i>");
        }
    }
}

use crate::console::{Console, Tone};
use crate::plain::plain;
use std::io;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Rows looked at before column widths are fixed; the rest is written as it comes, so that a table
/// of any length needs bounded memory.
const MEASURED_ROWS: usize = 512;
const GAP: &str = "  ";
/// A column that may shrink keeps so many columns of the terminal as long as others can be left out.
const COMFORTABLE: usize = 20;
/// A column that may shrink keeps at least so many columns of the terminal.
const NARROWEST: usize = 8;

/// How a column is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: &'static str,
    right: bool,
    shrinks: bool,
    prose: bool,
    spare: u8,
}

impl Column {
    /// Text that is always shown in full.
    pub(crate) const fn text(title: &'static str) -> Self {
        Self { title, right: false, shrinks: false, prose: false, spare: 0 }
    }

    /// Text that is shortened in its middle where the terminal is too narrow.
    pub(crate) const fn long(title: &'static str) -> Self {
        Self { title, right: false, shrinks: true, prose: false, spare: 0 }
    }

    /// A sentence, which is shortened at its end.
    pub(crate) const fn prose(title: &'static str) -> Self {
        Self { prose: true, ..Self::long(title) }
    }

    /// Numbers, aligned on the right.
    pub(crate) const fn number(title: &'static str) -> Self {
        Self { title, right: true, shrinks: false, prose: false, spare: 0 }
    }

    /// May be left out where the terminal is too narrow: the highest rank first, 0 never.
    pub(crate) const fn spare(self, rank: u8) -> Self {
        Self { spare: rank, ..self }
    }
}

/// One cell.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Text in the colour of a tone; made harmless for terminals.
    pub(crate) fn toned(text: &str, tone: Tone) -> Self {
        Self { text: plain(text).into_owned(), tone }
    }

    /// A value that may be absent, which shows as `-`.
    pub(crate) fn maybe(text: Option<impl ToString>) -> Self {
        match text {
            Some(text) => Self::from(text.to_string()),
            None => Self::toned("-", Tone::Faint),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::toned(text, Tone::Normal)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::toned(&text, Tone::Normal)
    }
}

/// Aligned columns for people.
pub(crate) struct Table<const N: usize> {
    columns: [Column; N],
    waiting: Vec<[Cell; N]>,
    widths: Option<[Option<usize>; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub(crate) const fn new(columns: [Column; N]) -> Self {
        Self { columns, waiting: Vec::new(), widths: None }
    }

    /// Adds a row, and writes rows as soon as their widths are known.
    pub(crate) fn row(&mut self, console: &mut Console, row: [Cell; N]) -> io::Result<()> {
        match self.widths {
            Some(widths) => self.write(console, &widths, &row),
            None => {
                self.waiting.push(row);
                if self.waiting.len() == MEASURED_ROWS { self.begin(console) } else { Ok(()) }
            }
        }
    }

    /// Writes what is left. A table without rows writes nothing.
    pub(crate) fn end(mut self, console: &mut Console) -> io::Result<()> {
        if self.waiting.is_empty() { Ok(()) } else { self.begin(console) }
    }

    fn begin(&mut self, console: &mut Console) -> io::Result<()> {
        let widths = fit(&self.columns, &self.waiting, console.width());
        let titles = self.columns.map(|column| Cell::toned(column.title, Tone::Strong));
        self.write(console, &widths, &titles)?;
        for row in std::mem::take(&mut self.waiting) {
            self.write(console, &widths, &row)?;
        }
        self.widths = Some(widths);
        Ok(())
    }

    fn write(
        &self,
        console: &mut Console,
        widths: &[Option<usize>; N],
        row: &[Cell; N],
    ) -> io::Result<()> {
        let mut line = String::new();
        let cells = row.iter().zip(&self.columns).zip(widths);
        for ((cell, column), width) in cells {
            let Some(width) = *width else { continue };
            let text = if column.shrinks && console.width().is_some() {
                shorten(&cell.text, width, column.prose)
            } else {
                cell.text.clone()
            };
            let padding = " ".repeat(width.saturating_sub(text.width()));
            let text = console.paint(cell.tone, text);
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let (first, second) = if column.right { (padding, text) } else { (text, padding) };
            line.push_str(&first);
            line.push_str(&second);
        }
        console.line(line.trim_end())
    }
}

/// The widths of the columns; `None` for those left out.
///
/// They are what the rows need. On a terminal of `limit` columns, long columns are first shortened
/// to a comfortable width, then spare columns left out, and only then is readability given up.
fn fit<const N: usize>(
    columns: &[Column; N],
    rows: &[[Cell; N]],
    limit: Option<usize>,
) -> [Option<usize>; N] {
    let mut widths = columns.map(|column| Some(column.title.width()));
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(Some(cell.text.width()));
        }
    }
    let Some(limit) = limit else { return widths };
    loop {
        let shortened = shrink(columns, widths, limit, COMFORTABLE);
        if total(&shortened) <= limit {
            return shortened;
        }
        let spare = (0..N)
            .filter(|at| columns[*at].spare > 0 && widths[*at].is_some())
            .max_by_key(|at| columns[*at].spare);
        match spare {
            Some(at) => widths[at] = None,
            None => return shrink(columns, widths, limit, NARROWEST),
        }
    }
}

/// Takes what the terminal lacks from the columns that may shrink, the widest first.
fn shrink<const N: usize>(
    columns: &[Column; N],
    mut widths: [Option<usize>; N],
    limit: usize,
    floor: usize,
) -> [Option<usize>; N] {
    while total(&widths) > limit {
        let widest = (0..N)
            .filter(|at| columns[*at].shrinks && widths[*at] > Some(floor))
            .max_by_key(|at| widths[*at]);
        let Some(at) = widest else { break };
        widths[at] = widths[at].map(|width| width - 1);
    }
    widths
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    shown.clone().sum::<usize>() + GAP.len() * shown.count().saturating_sub(1)
}

/// The text within `width` columns. Names and URLs keep more of their end, where they differ; prose
/// keeps its beginning.
fn shorten(text: &str, width: usize, prose: bool) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let head = take(text.chars(), if prose { room } else { room / 3 });
    let rest = if prose { 0 } else { room - head.width() };
    let tail = take(text.chars().rev(), rest);
    let tail: String = tail.chars().rev().collect();
    format!("{head}…{tail}")
}

/// As many symbols as fit.
fn take(symbols: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    symbols
        .take_while(|symbol| {
            used += symbol.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Cell, Column, fit, shorten};

    #[test]
    fn shortening_counts_columns_not_characters() {
        assert_eq!(shorten("shop.title", 10, false), "shop.title");
        assert_eq!(shorten("shop.product.title", 10, false), "sho….title");
        assert_eq!(shorten("価格価格", 7, false), "価…価格");
        assert_eq!(shorten("価格価格", 4, false), "…格");
        assert_eq!(shorten("abc", 1, false), "…");
        assert_eq!(shorten("matches nothing: 4 of 4", 12, true), "matches not…");
    }

    #[test]
    fn spare_columns_go_before_readability() {
        let columns = [Column::number("A").spare(2), Column::long("B"), Column::text("C").spare(1)];
        let rows = [[Cell::from("12345"), Cell::from("x".repeat(40)), Cell::from("777")]];
        assert_eq!(fit(&columns, &rows, None), [Some(5), Some(40), Some(3)]);
        assert_eq!(fit(&columns, &rows, Some(40)), [Some(5), Some(28), Some(3)]);
        assert_eq!(fit(&columns, &rows, Some(30)), [None, Some(25), Some(3)]);
        assert_eq!(fit(&columns, &rows, Some(21)), [None, Some(21), None]);
        assert_eq!(fit(&columns, &rows, Some(5)), [None, Some(8), None], "no narrower");
    }
}

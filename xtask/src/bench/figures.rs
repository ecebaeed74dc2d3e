use serde::Serialize;

/// What a benchmark measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Figures {
    pub(super) tables: Vec<Table>,
    pub(super) bars: Vec<Bar>,
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// A figure with a limit.
#[derive(Debug, Serialize)]
pub(super) struct Bar {
    name: String,
    value: f64,
    limit: f64,
    holds: bool,
    unit: String,
}

impl Bar {
    pub(super) fn at_most(name: &str, value: f64, limit: f64, unit: &str) -> Self {
        Self { name: name.into(), value, limit, holds: value <= limit, unit: unit.into() }
    }

    pub(super) fn at_least(name: &str, value: f64, limit: f64, unit: &str) -> Self {
        Self { name: name.into(), value, limit, holds: value >= limit, unit: unit.into() }
    }
}

impl Table {
    pub(super) fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|it| (*it).to_owned()).collect();
        Self { title: title.into(), columns, rows: Vec::new() }
    }

    fn print(&self) {
        println!("{}", self.title);
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            cells.chain([&self.columns[at]]).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            let mut line = String::new();
            for (at, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[at] - cell.chars().count());
                match at {
                    0 => line += &format!("  {cell}{pad}"),
                    _ => line += &format!("  {pad}{cell}"),
                }
            }
            println!("{}", line.trim_end());
        }
        println!();
    }
}

impl Figures {
    pub(super) fn all_hold(&self) -> bool {
        self.bars.iter().all(|bar| bar.holds)
    }

    pub(super) fn print(&self) {
        for table in &self.tables {
            table.print();
        }
        for bar in &self.bars {
            let verdict = if bar.holds { "ok    " } else { "MISSED" };
            let Bar { name, value, limit, unit, .. } = bar;
            println!("  {verdict}  {name}: {value:.3} {unit} (bar {limit})");
        }
        for note in &self.notes {
            println!("  note: {note}");
        }
    }
}

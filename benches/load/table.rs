//! The one table that comes out.

use comfy_table::{CellAlignment, Table, presets};

use super::{drive::Measured, operations::Operation, place::Database};

/// A line of it.
#[derive(Debug)]
pub struct Line {
    pub database: Database,
    pub rows: usize,
    pub operation: Operation,
    pub connections: usize,
    pub streams: usize,
    pub measured: Measured,
    /// Of the server for each request, where they were counted.
    pub instructions: Option<u64>,
    /// Memory of the server afterwards, in MiB.
    pub resident: u64,
}

const HEADER: [&str; 12] = [
    "database",
    "rows",
    "operation",
    "conns × streams",
    "requests",
    "/s",
    "p50 ms",
    "p99 ms",
    "instructions",
    "server µs",
    "database µs",
    "RSS MiB",
];
/// The columns that are no numbers.
const WORDS: [&str; 2] = ["database", "operation"];

impl Line {
    fn cells(&self) -> [String; 12] {
        let Measured { requests, elapsed, latency, spent } = &self.measured;
        let each = |time: std::time::Duration| {
            if *requests == 0 { "-".to_owned() } else { grouped((time.as_secs_f64() * 1e6 / *requests as f64) as u64) }
        };
        let millis = |quantile: f64| {
            let micros = latency.value_at_quantile(quantile);
            format!("{:.2}", micros as f64 / 1e3)
        };
        [
            self.database.name().to_owned(),
            grouped(self.rows as u64),
            self.operation.title().to_owned(),
            format!("{} × {}", self.connections, self.streams),
            grouped(*requests),
            grouped((*requests as f64 / elapsed.as_secs_f64()) as u64),
            millis(0.5),
            millis(0.99),
            self.instructions.map_or_else(|| "-".to_owned(), grouped),
            each(spent.server),
            spent.database.map_or_else(|| "-".to_owned(), each),
            grouped(self.resident),
        ]
    }

    /// On one line, for those who wait.
    pub fn brief(&self) -> String {
        let [_, _, operation, streams, _, rate, p50, p99, ..] = self.cells();
        format!("  {operation}, {streams}: {rate}/s, p50 {p50} ms, p99 {p99} ms")
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The table, operation by operation, so that what grows with the rows is seen at a glance.
pub fn render(lines: &mut [Line], markdown: bool) -> String {
    lines.sort_by_key(|line| (line.operation, line.connections * line.streams, line.database.name(), line.rows));
    let mut table = Table::new();
    table.load_style(if markdown { presets::ASCII_MARKDOWN } else { presets::NOTHING });
    table.set_header(HEADER);
    for line in lines.iter() {
        table.add_row(line.cells());
    }
    for (column, heading) in table.column_iter_mut().zip(HEADER) {
        if !WORDS.contains(&heading) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

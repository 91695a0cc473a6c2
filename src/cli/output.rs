//! What commands print, and how.

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use prost_reflect::DynamicMessage;
use serde_json::Value;

use super::failure::{Outcome, printable};
use crate::resource::json;

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns, for people.
    Table,
    /// JSON, with the fields as the API names them.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Where commands print to. Fails where it cannot write, so that a closed pipe ends a command instead of a panic.
pub(super) struct Out {
    writer: Box<dyn Write>,
    documents: usize,
    /// Whether there is somebody to ask.
    pub(super) interactive: bool,
}

impl Out {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        Self { interactive: io::stdin().is_terminal(), ..Self::to(BufWriter::new(io::stdout())) }
    }

    pub(super) fn to(writer: impl Write + 'static) -> Self {
        Self { writer: Box::new(writer), documents: 0, interactive: false }
    }

    /// A line.
    pub(super) fn line(&mut self, text: impl AsRef<str>) -> Outcome {
        Ok(writeln!(self.writer, "{}", text.as_ref())?)
    }

    /// A text that ends its last line itself, or not.
    pub(super) fn text(&mut self, text: &str) -> Outcome {
        self.bytes(text.as_bytes())?;
        if text.ends_with('\n') { Ok(()) } else { self.line("") }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Outcome {
        Ok(self.writer.write_all(bytes)?)
    }

    /// Rows under headings.
    pub(super) fn table(&mut self, headings: &[String], rows: Vec<Vec<String>>) -> Outcome {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(headings);
        for row in rows {
            table.add_row(row.iter().map(|cell| printable(cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.text(&table.trim_fmt())
    }

    /// A message as JSON or YAML: the whole output of a command.
    pub(super) fn message(&mut self, format: Format, message: &DynamicMessage) -> Outcome {
        self.value(format, &json::to_json(message))
    }

    /// A value as JSON or YAML.
    pub(super) fn value(&mut self, format: Format, value: &Value) -> Outcome {
        match format {
            Format::Yaml => self.text(&json::to_yaml(value)),
            Format::Json | Format::Table => self.line(format!("{value:#}")),
        }
    }

    /// One of many messages: a line of JSON, or a YAML document, which a reader can take one by one.
    pub(super) fn next(&mut self, format: Format, message: &DynamicMessage) -> Outcome {
        let value = json::to_json(message);
        match format {
            Format::Yaml => {
                if self.documents > 0 {
                    self.line("---")?;
                }
                self.documents += 1;
                self.text(&json::to_yaml(&value))?;
            }
            Format::Json | Format::Table => self.line(value.to_string())?,
        }
        self.flush()
    }

    pub(super) fn flush(&mut self) -> Outcome {
        Ok(self.writer.flush()?)
    }
}

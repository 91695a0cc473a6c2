//! Spans of statements as OpenTelemetry's conventions for databases have them: SeaORM names attributes as they were called
//! before these were stable (`db.system`, `db.statement`), and spans after its own functions.

use std::{borrow::Cow, fmt, time::Duration};

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};

/// An exporter that says it by the conventions.
pub(super) struct Conventional<E>(pub(super) E);

impl<E: fmt::Debug> fmt::Debug for Conventional<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: SpanExporter> SpanExporter for Conventional<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.export(batch.into_iter().map(said).collect())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

/// A span as the conventions have it.
fn said(mut span: SpanData) -> SpanData {
    if !span.name.starts_with(super::STATEMENT) {
        return span;
    }
    let (mut operation, mut table) = (String::new(), None);
    for KeyValue { key, value, .. } in &mut span.attributes {
        match key.as_str() {
            "db.system" => *key = Key::from_static_str("db.system.name"),
            "db.operation" => {
                *key = Key::from_static_str("db.operation.name");
                operation = value.as_str().into_owned();
            }
            "db.statement" => {
                *key = Key::from_static_str("db.query.text");
                table = table_of(&value.as_str());
            }
            _ => {}
        }
    }
    span.name = match &table {
        Some(table) => Cow::Owned(format!("{operation} {table}")),
        None => Cow::Owned(operation),
    };
    if let Some(table) = table {
        span.attributes.push(KeyValue::new("db.collection.name", Value::from(table)));
    }
    span
}

/// The first table that a statement names.
fn table_of(statement: &str) -> Option<String> {
    let mut words = statement.split_whitespace();
    words.find(|word| ["FROM", "INTO", "UPDATE"].iter().any(|before| word.eq_ignore_ascii_case(before)))?;
    let table: String =
        words.next()?.trim_start_matches('"').chars().take_while(|one| one.is_alphanumeric() || *one == '_').collect();
    (!table.is_empty()).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_name_their_table() {
        for (statement, table) in [
            (r#"SELECT "vendor"."name" FROM "vendor" WHERE 1"#, Some("vendor")),
            (r#"INSERT INTO "revision" ("number") VALUES ($1)"#, Some("revision")),
            (r#"UPDATE "counter" SET "batch" = 1"#, Some("counter")),
            ("DELETE FROM outbox", Some("outbox")),
            ("SELECT 1 FROM (SELECT 2) x", None),
            ("PRAGMA wal_checkpoint", None),
        ] {
            assert_eq!(table_of(statement).as_deref(), table, "{statement}");
        }
    }
}

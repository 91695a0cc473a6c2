//! `metrics.md`: every instrument, from where the code describes it.

use subprocessor_registry::metrics::{self, Described};

use crate::markdown::{code, table};

pub(crate) fn page() -> String {
    let rows = metrics::ALL.iter().map(|one| {
        let attributes: Vec<String> = one.attributes.iter().map(|name| code(underscored(name))).collect();
        [code(prometheus(one)), code(one.name), attributes.join(", "), one.meaning.to_owned()]
    });
    format!(
        "# Metrics\n\n\
         What a server measures. Prometheus reads it at `GET /metrics` and writes dots as underscores; a collector is \
         sent the same under OpenTelemetry's names. Histograms have the usual `_bucket`, `_sum` and `_count`. What \
         is counted in the database (outbox, notices, findings) is the same on every replica: do not add it up.\n\n{}",
        table(["Prometheus", "OpenTelemetry", "Labels", "Meaning"], rows)
    )
}

/// A name as Prometheus has it.
fn prometheus(one: &Described) -> String {
    let unit = if one.unit == "s" { "_seconds" } else { "" };
    let total = if metrics::COUNTERS.contains(&one.name) { "_total" } else { "" };
    format!("{}{unit}{total}", underscored(one.name))
}

fn underscored(name: &str) -> String {
    name.replace('.', "_")
}

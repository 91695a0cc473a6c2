//! Lines of the log, with the call in which they were written. A span of each call would say the same, and would cost each
//! call more than all that is measured of it, though few calls write a line.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{config::LogFormat, trace};

/// Lines as a format has them, and the call: at their end in text, as more keys in JSON.
pub(super) struct InCall<F> {
    line: F,
    format: LogFormat,
}

impl<F> InCall<F> {
    /// `line` writes in this format.
    pub(super) fn new(line: F, format: LogFormat) -> Self {
        Self { line, format }
    }
}

impl<S, N, F> FormatEvent<S, N> for InCall<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.line.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end_matches('\n');
        let call = call();
        match self.format {
            LogFormat::Text => {
                writer.write_str(line)?;
                for (key, value) in &call {
                    write!(writer, " {key}={value}")?;
                }
            }
            LogFormat::Json => match line.strip_suffix('}') {
                Some(open) if !call.is_empty() => {
                    let call: Map<String, Value> =
                        call.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
                    let call = Value::from(call).to_string();
                    write!(writer, "{open},{}", &call[1..])?;
                }
                _ => writer.write_str(line)?,
            },
        }
        writeln!(writer)
    }
}

/// What a line says of the call in which it is written.
fn call() -> Vec<(&'static str, String)> {
    trace::here(|called, trace| {
        let mut said = Vec::new();
        if let Some(called) = called {
            let (key, what) = &called.what;
            said.push((*key, what.clone().into_owned()));
            said.extend(called.client.map(|client| ("client.address", client.to_string())));
            said.extend(called.principal.as_ref().map(|principal| ("principal", principal.as_str().to_owned())));
        }
        said.extend(trace.map(|trace| ("trace_id", trace.to_string())));
        said
    })
}

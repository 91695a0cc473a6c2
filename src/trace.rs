//! The trace that something belongs to, as W3C writes it (`traceparent`, Trace Context level 1): so it can be kept with a
//! revision, and goes on to what that revision causes later and elsewhere. Without an exporter there are no traces, and
//! all of this is nothing.
//!
//! Whether a trace is recorded is decided before its first span begins ([`Place`]): what nobody will see is not made.

use std::{
    borrow::Cow,
    collections::HashMap,
    net::IpAddr,
    sync::{LazyLock, OnceLock},
};

use opentelemetry::{
    Context, ContextGuard, KeyValue,
    propagation::{Extractor, TextMapPropagator},
    trace::{Link, SpanContext, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{IdGenerator, RandomIdGenerator, Sampler, SamplingResult, ShouldSample},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::call::Principal;

/// The target of spans of calls and pages. They are made only for traces: the log has [`Called`].
pub const CALLS: &str = "subprocessor_registry::calls";

const TRACEPARENT: &str = "traceparent";

/// How many of the traces that begin here are recorded (0 to 1), once there is who takes them.
static RATIO: OnceLock<f64> = OnceLock::new();

static PROPAGATOR: LazyLock<TraceContextPropagator> = LazyLock::new(TraceContextPropagator::new);

/// From now on somebody takes traces: `ratio` (0 to 1) of those that begin here, and those that callers want recorded.
/// What is said first holds for the process. Returns how spans are sampled that have no [`Place`].
pub fn record(ratio: f64) -> Sampler {
    let ratio = *RATIO.get_or_init(|| ratio);
    // A caller's decision holds, so that traces are whole.
    Sampler::ParentBased(Box::new(Decided(Sampler::TraceIdRatioBased(ratio))))
}

/// Samples what a [`Place`] has decided to record.
#[derive(Debug, Clone)]
struct Decided(Sampler);

/// In a context: what begins in it is recorded.
#[derive(Debug)]
struct Recorded;

impl ShouldSample for Decided {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_decided = parent.is_some_and(|context| context.get::<Recorded>().is_some());
        let sampler = if is_decided { &Sampler::AlwaysOn } else { &self.0 };
        sampler.should_sample(parent, trace, name, kind, attributes, links)
    }
}

/// A call or a page, as each line of the log has it that is written meanwhile.
#[derive(Debug)]
pub struct Called {
    /// `rpc.method` or `http.route`, and which.
    pub what: (&'static str, Cow<'static, str>),
    /// From where.
    pub client: Option<IpAddr>,
    /// By whom; none: by somebody who may not.
    pub principal: Option<Principal>,
}

/// Where a call stands among traces: in its caller's, or at the beginning of one.
#[derive(Debug, Clone, Default)]
pub struct Place(Context);

impl Place {
    /// Where a call with these headers stands.
    pub fn of(headers: &impl Extractor) -> Self {
        let Some(ratio) = RATIO.get() else { return Self::default() };
        if headers.get(TRACEPARENT).is_some() {
            let caller = PROPAGATOR.extract_with_context(&Context::new(), headers);
            if caller.span().span_context().is_valid() {
                return Self(caller);
            }
        }
        if rand::random::<f64>() < *ratio {
            return Self(Context::new().with_value(Recorded));
        }
        // It has an id all the same: it stands in the log, and goes on to whom the call causes to be told.
        let ids = RandomIdGenerator::default();
        let (trace, span) = (ids.new_trace_id(), ids.new_span_id());
        let unrecorded = SpanContext::new(trace, span, TraceFlags::NOT_SAMPLED, false, TraceState::NONE);
        Self(Context::new().with_remote_span_context(unrecorded))
    }

    /// The place with what is called there.
    pub fn with(self, called: Called) -> Self {
        Self(self.0.with_value(called))
    }

    /// What is called there.
    pub fn called(&self) -> Option<&Called> {
        self.0.get()
    }

    /// Whether it will be seen by anybody but readers of the log.
    pub fn is_recorded(&self) -> bool {
        self.0.get::<Recorded>().is_some() || self.0.span().span_context().is_sampled()
    }

    /// What runs until the guard is dropped runs there.
    pub fn enter(&self) -> ContextGuard {
        self.0.clone().attach()
    }

    /// The place, for futures.
    pub fn context(&self) -> Context {
        self.0.clone()
    }
}

/// The trace of what runs now; empty: it belongs to none.
pub fn current() -> String {
    if !Context::map_current(|context| context.span().span_context().is_valid()) {
        return String::new();
    }
    let mut carrier = HashMap::new();
    PROPAGATOR.inject(&mut carrier);
    carrier.remove(TRACEPARENT).unwrap_or_default()
}

/// Puts a span that has not been entered yet into a trace.
pub fn join(span: &Span, traceparent: &str) {
    if span.is_disabled() || traceparent.is_empty() {
        return;
    }
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    // Fails if no traces are exported, which is no failure.
    let _ = span.set_parent(PROPAGATOR.extract_with_context(&Context::new(), &carrier));
}

/// Whether what runs now is recorded: only then is it worth its while to say in detail what it does.
pub fn is_recorded() -> bool {
    Context::map_current(|context| context.span().span_context().is_sampled())
}

/// Whether a span that begins now may be recorded: it begins a trace, or is of one that is.
pub fn may_be_recorded() -> bool {
    Context::map_current(|context| !context.has_active_span() || context.span().span_context().is_sampled())
}

/// Hands over the call in which this runs and the id of its trace, as far as there are.
pub fn here<T>(read: impl FnOnce(Option<&Called>, Option<TraceId>) -> T) -> T {
    Context::map_current(|context| {
        let span = context.span();
        let known = span.span_context();
        read(context.get(), known.is_valid().then(|| known.trace_id()))
    })
}

//! Objections to changes that a notice announces.

use futures::{FutureExt, future::BoxFuture};

use super::{
    recipient::notice_of,
    standard::{Managed, path},
    version::{Reference, Resource, Stored, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Objection, objection::State},
    resource::{
        filter::{Field, FieldKind},
        name::Kind,
        shape::Violations,
    },
};

version_table!(Objection, table "objection", entity versions, {
    parent: String = |m| notice_of(&m.name),
    customer: String = |m| m.customer.clone(),
    state: i32 = |m| m.state,
    outcome: i32 = |m| m.outcome,
    late: bool = |m| m.late,
});

impl Resource for Objection {
    const KIND: Kind = Kind::Objection;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("customer", FieldKind::Text),
        Field::new("state", FieldKind::Choice("subprocessor.registry.v1.Objection.State")),
        Field::new("outcome", FieldKind::Choice("subprocessor.registry.v1.Objection.Outcome")),
        Field::new("late", FieldKind::Flag),
        Field::new("change_ids", FieldKind::Texts),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        self.change_ids.iter().map(|id| ("change_ids", id.clone())).collect()
    }

    /// It holds nothing back: that somebody objected stays so when the customer goes.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
}

impl Managed for Objection {
    fn check(&self, prefix: &str, out: &mut Violations) {
        if self.customer.is_empty() {
            out.push((path(prefix, "customer"), "is required".to_owned()));
        }
    }

    fn admit<'a>(&'a mut self, _writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            let Some(before) = before.filter(|before| before.message != *self) else { return Ok(()) };
            if before.message.state() == State::Open {
                return Ok(());
            }
            let text = format!("{} is CLOSED and can be changed only while OPEN", self.name);
            Err(Error::new(Reason::StateTransitionRefused, text.clone())
                .with("state", "CLOSED")
                .precondition("STATE", &self.name, text))
        }
        .boxed()
    }

    fn verify<'a>(&'a self, _writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async { Ok(()) }.boxed()
    }
}

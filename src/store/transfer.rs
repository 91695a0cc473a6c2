//! Transfers and what they rest on.

use std::collections::HashSet;

use futures::{FutureExt, future::BoxFuture};

use super::{
    document::document_rule,
    standard::{Managed, path},
    version::{Reference, Resource, Stored, stored_date, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::Transfer,
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
        shape::Violations,
    },
};

/// The exporter that stands for an organization's customers.
pub(super) const CUSTOMERS: &str = "customers";

/// A chain of onward transfers longer than this is refused: each link is one query of every answer.
pub(super) const LONGEST_CHAIN: usize = 16;

version_table!(Transfer, table "transfer", entity versions, {
    exporter: String = |m| m.exporter.clone(),
    importer: String = |m| m.importer.clone(),
    onward_from: String = |m| m.onward_from.clone(),
    start_date: String = |m| stored_date(&m.start_date),
    start_date_desc: String = |m| m.start_date.clone(),
    end_date: String = |m| stored_date(&m.end_date),
    end_date_desc: String = |m| m.end_date.clone(),
    regime: i32 = |m| m.regime,
});

impl Resource for Transfer {
    const KIND: Kind = Kind::Transfer;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("start_date", FieldKind::Date).ordered(),
        Field::new("end_date", FieldKind::Date).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("exporter", FieldKind::Text),
        Field::new("importer", FieldKind::Text),
        Field::new("onward_from", FieldKind::Text),
        Field::new("regime", FieldKind::Choice("subprocessor.registry.v1.Regime")),
        Field::new("destination_region_codes", FieldKind::Texts),
        Field::new("instruments", FieldKind::Texts),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        let destinations = self.destination_region_codes.iter().map(|code| ("destination_region_codes", code.clone()));
        let instruments = self.mechanisms.iter().map(|mechanism| ("instruments", mechanism.instrument.clone()));
        destinations.chain(instruments).collect()
    }

    fn references(&self) -> Vec<Reference> {
        let party = |field: &str, name: &str| {
            // Which of the two kinds it is, `check` has seen.
            (name != CUSTOMERS).then(|| Reference { field: field.to_owned(), kind: None, name: name.to_owned() })
        };
        let onward =
            (!self.onward_from.is_empty()).then(|| Reference::to(Kind::Transfer, "onward_from", &self.onward_from));
        let mechanisms = self.mechanisms.iter().enumerate().flat_map(|(i, one)| {
            let tia = one.tia.as_ref().map_or("", |tia| tia.document.as_str());
            [
                (Kind::Instrument, "instrument", one.instrument.as_str()),
                (Kind::Certification, "certification", one.certification.as_str()),
                (Kind::Document, "document", document(&one.document)),
                (Kind::Document, "tia.document", document(tia)),
            ]
            .into_iter()
            .filter(|(_, _, name)| !name.is_empty())
            .map(move |(kind, field, name)| Reference::to(kind, format!("mechanisms[{i}].{field}"), name))
        });
        let parties = [party("exporter", &self.exporter), party("importer", &self.importer)];
        parties.into_iter().flatten().chain(onward).chain(mechanisms).collect()
    }
}

/// The name of a document; nothing if it is an address.
fn document(text: &str) -> &str {
    if text.starts_with("organizations/") { text } else { "" }
}

impl Managed for Transfer {
    fn check(&self, prefix: &str, out: &mut Violations) {
        let party = |text: &str| {
            Name::parse(text).is_some_and(|name| matches!(name.kind(), Kind::Organization | Kind::Subprocessor))
        };
        let patterns = format!("{} or {}", Kind::Organization.pattern(), Kind::Subprocessor.pattern());
        if !self.exporter.is_empty() && self.exporter != CUSTOMERS && !party(&self.exporter) {
            let rule =
                format!("must be {CUSTOMERS}, or a name of the form {patterns}, not \"{}\"", clip(&self.exporter));
            out.push((path(prefix, "exporter"), rule));
        }
        if !self.importer.is_empty() && !party(&self.importer) {
            let rule = format!("must be a name of the form {patterns}, not \"{}\"", clip(&self.importer));
            out.push((path(prefix, "importer"), rule));
        }
        if !self.importer.is_empty() && self.importer == self.exporter {
            out.push((path(prefix, "importer"), "must not be the exporter".to_owned()));
        }
        for (i, one) in self.mechanisms.iter().enumerate() {
            let tia = one.tia.as_ref().map_or("", |tia| tia.document.as_str());
            for (field, text) in [("document", one.document.as_str()), ("tia.document", tia)] {
                if let Some(rule) = document_rule(text) {
                    out.push((path(prefix, &format!("mechanisms[{i}].{field}")), rule));
                }
            }
            if one.precedence < 0 {
                out.push((path(prefix, &format!("mechanisms[{i}].precedence")), "must not be negative".to_owned()));
            }
        }
    }

    fn verify<'a>(&'a self, writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            let wrong = |rule: String| {
                Err(Error::fields(Reason::FieldInvalid, vec![("transfer.onward_from".to_owned(), rule)]))
            };
            let mut seen = HashSet::from([self.name.clone()]);
            let mut next = self.onward_from.clone();
            while let Some(name) = Name::parse(&next).filter(|name| name.kind() == Kind::Transfer) {
                if !seen.insert(next) {
                    let rule = format!("{} would have the data from itself", self.name);
                    return Err(Error::fields(Reason::ChainCycle, vec![("transfer.onward_from".to_owned(), rule)]));
                }
                if seen.len() > LONGEST_CHAIN {
                    return wrong(format!("a chain of more than {LONGEST_CHAIN} transfers is not followed"));
                }
                let Some(above) = writer.find::<Self>(&name).await? else { break };
                if above.message.regime != self.regime {
                    return wrong(format!("{name} is under another regime"));
                }
                next = above.message.onward_from;
            }
            Ok(())
        }
        .boxed()
    }
}

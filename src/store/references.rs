//! What refers to what: checked when all of a write is written, so that what one write makes may refer to each other in
//! any order.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    entity, resource,
    version::{Reference, Resource},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result, clip},
    resource::name::{Kind, Name},
};

/// A version that was written, as far as references go.
#[derive(Debug)]
pub(super) struct Written {
    /// It has no version before: nothing is remembered of it yet.
    is_new: bool,
    resource_id: i64,
    organization_id: i64,
    name: String,
    deleted: bool,
    references: Vec<Reference>,
}

impl Written {
    pub(super) fn of<R: Resource>(
        is_new: bool,
        resource_id: i64,
        organization_id: i64,
        name: &Name,
        message: &R,
    ) -> Self {
        let deleted = message.header().delete_time.is_some();
        // A deleted resource holds nothing back.
        let mut references = if deleted { Vec::new() } else { message.references() };
        // What was said to findings or notices goes with what it was said to, as who wants to be told goes with the list,
        // and holds nothing back.
        let follows = matches!(
            name.kind(),
            Kind::Acknowledgement | Kind::Notice | Kind::Recipient | Kind::Objection | Kind::Subscription
        );
        if let Some(parent) = name.parent().filter(|_| !deleted && !follows) {
            references.push(Reference::to(parent.kind(), "parent", parent.as_str()));
        }
        Self { is_new, resource_id, organization_id, name: name.to_string(), deleted, references }
    }
}

/// A reference to what is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dangling {
    /// The resource that refers.
    pub from: String,
    /// Its field.
    pub field: String,
    /// What it refers to.
    pub to: String,
    /// FIELD_INVALID for what cannot be a name, else REFERENCE_NOT_FOUND.
    pub reason: Reason,
    /// What is wrong, in words that follow the field.
    pub rule: String,
}

impl Dangling {
    /// The path of the field in a request: `subprocessor.vendor`, but `parent`.
    fn path(&self) -> String {
        match Name::parse(&self.from) {
            Some(from) if self.field != "parent" => format!("{}.{}", from.kind().singular(), self.field),
            _ => self.field.clone(),
        }
    }
}

/// What is wrong with a reference that no resource could fit.
fn misnamed(reference: &Reference) -> Option<String> {
    let fits = Name::parse(&reference.name).is_some_and(|name| reference.kind.is_none_or(|kind| kind == name.kind()));
    let pattern = || reference.kind.map_or_else(|| "a resource".to_owned(), Kind::pattern);
    (!fits).then(|| format!("must be a name of the form {}, not \"{}\"", pattern(), clip(&reference.name)))
}

/// What is wrong with a reference to what is not there.
fn lost(reference: &Reference, is_deleted: bool) -> String {
    format!("{} {}", clip(&reference.name), if is_deleted { "is deleted" } else { "does not exist" })
}

fn refuse_dangling(dangling: Vec<Dangling>) -> Error {
    if dangling.iter().any(|one| one.reason == Reason::FieldInvalid) {
        let fields = dangling.into_iter().filter(|one| one.reason == Reason::FieldInvalid);
        return Error::fields(Reason::FieldInvalid, fields.map(|one| (one.path(), one.rule)).collect());
    }
    let first = dangling.first().map(|one| format!("{}: {}", one.path(), one.rule)).unwrap_or_default();
    let error = Error::new(Reason::ReferenceNotFound, first);
    dangling
        .into_iter()
        .fold(error, |error, one| error.precondition("REFERENCE", &one.to, format!("{}: {}", one.path(), one.rule)))
}

impl Writer {
    /// What the versions written so far refer to and that is not there, or of another kind. Asked when all is written,
    /// so that what one write makes may refer to each other in any order.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn dangling(&self) -> Result<Vec<Dangling>> {
        Ok(self.look_up().await?.1)
    }

    /// What is wrong with references of resources that are not written, in their order: FIELD_INVALID or
    /// REFERENCE_NOT_FOUND, with words that follow the field; none if nothing is. Those named by `own` would be written with
    /// them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn judge(
        &self,
        references: &[Reference],
        own: &HashSet<String>,
    ) -> Result<Vec<Option<(Reason, String)>>> {
        let asked = |one: &&Reference| misnamed(one).is_none() && !own.contains(&one.name);
        let names = references.iter().filter(asked).map(|one| one.name.clone()).collect();
        let found = resource::find_all(&self.tx, names).await?;
        let gone = super::read::deleted_among(&self.tx, &found).await?;
        let rows: HashMap<&str, i64> = found.iter().map(|row| (row.name.as_str(), row.id)).collect();
        let judged = references.iter().map(|one| match (misnamed(one), rows.get(one.name.as_str())) {
            (Some(rule), _) => Some((Reason::FieldInvalid, rule)),
            (None, _) if own.contains(&one.name) => None,
            (None, Some(id)) if !gone.contains(id) => None,
            (None, row) => Some((Reason::ReferenceNotFound, lost(one, row.is_some()))),
        });
        Ok(judged.collect())
    }

    /// The permanent rows of what was referred to, and the references that do not hold.
    async fn look_up(&self) -> Result<(Vec<entity::resource::Model>, Vec<Dangling>)> {
        let references =
            || self.written.iter().flat_map(|written| written.references.iter().map(move |r| (written, r)));
        let names = references().map(|(_, reference)| reference.name.clone()).collect();
        let found = resource::find_all(&self.tx, names).await?;
        let gone = super::read::deleted_among(&self.tx, &found).await?;
        let rows: HashMap<&str, &entity::resource::Model> = found.iter().map(|row| (row.name.as_str(), row)).collect();
        let mut dangling = Vec::new();
        for (written, reference) in references() {
            let (reason, rule) = match (misnamed(reference), rows.get(reference.name.as_str())) {
                (Some(rule), _) => (Reason::FieldInvalid, rule),
                (None, None) => (Reason::ReferenceNotFound, lost(reference, false)),
                // What is one organization's own is nobody else's to refer to, or to hold back.
                (None, Some(row)) if row.organization_id != 0 && row.organization_id != written.organization_id => {
                    (Reason::FieldInvalid, format!("{} is not of the same organization", clip(&reference.name)))
                }
                (None, Some(row)) if gone.contains(&row.id) => (Reason::ReferenceNotFound, lost(reference, true)),
                (None, Some(_)) => continue,
            };
            dangling.push(Dangling {
                from: written.name.clone(),
                field: reference.field.clone(),
                to: reference.name.clone(),
                reason,
                rule,
            });
        }
        Ok((found, dangling))
    }

    /// Checks all references of what was written, remembers them, and checks that nothing refers to what was deleted.
    pub(super) async fn settle_references(&mut self) -> Result<()> {
        let (found, dangling) = self.look_up().await?;
        if !dangling.is_empty() {
            return Err(refuse_dangling(dangling));
        }
        let ids: HashMap<String, i64> = found.into_iter().map(|row| (row.name, row.id)).collect();
        let written = std::mem::take(&mut self.written);
        let refers = |one: &Written| {
            let to = one.references.iter().filter_map(|r| Some((one.resource_id, *ids.get(&r.name)?, r.field.clone())));
            to.collect::<BTreeSet<_>>()
        };
        let earlier = written.iter().filter(|one| !one.is_new).map(|one| one.resource_id).collect();
        resource::forget_references(&self.tx, earlier).await?;
        resource::add_references(&self.tx, written.iter().flat_map(refers).collect()).await?;
        for one in written.iter().filter(|one| one.deleted) {
            self.refuse_if_referred_to(one.resource_id, &one.name).await?;
        }
        Ok(())
    }

    async fn refuse_if_referred_to(&self, resource_id: i64, name: &str) -> Result<()> {
        let (total, first) = resource::referrers(&self.tx, resource_id).await?;
        if total == 0 {
            return Ok(());
        }
        let mut error = Error::new(Reason::ResourceInUse, format!("{name} is in use: {total} references to it"))
            .with("references", total);
        for (referrer, field) in first {
            error = error.precondition("REFERENCE", &referrer, format!("{field} of {referrer} refers to {name}"));
        }
        Err(error)
    }
}

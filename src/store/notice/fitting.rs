//! Whether a change fits what the registry holds, and what it would make of it. Asked for a draft, at publication, and
//! again when the change takes effect: the registry may have changed in between.

use std::collections::{HashMap, hash_map::Entry};

use prost_reflect::ReflectMessage;

use super::{adds, is_pending, kind_word};
use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::{
        Notice, NoticeChange, Organization, ProposedTransfer, Subprocessor, notice_change::Kind, subprocessor::State,
    },
    resource::{
        behavior, mask,
        name::{Kind as ResourceKind, Name},
        shape::{self, Violations},
    },
    rules::notice::widening::{self, widened},
    store::{organization::product_paths, standard::Managed, version::Stored, writer::Writer},
};

/// What a change would make of the list.
#[derive(Debug)]
pub(super) struct Fitted {
    /// The subprocessor as it is; none if the change creates it.
    pub(super) before: Option<Stored<Subprocessor>>,
    /// The same with the values to come; its state and its days are as they were.
    pub(super) after: Subprocessor,
    /// Those it replaces.
    pub(super) replaced: Vec<Stored<Subprocessor>>,
    /// The fields that differ.
    pub(super) fields: Vec<String>,
    /// Whether it waits for customers to be cleared.
    pub(super) waits: bool,
    /// The products it concerns; none: all.
    pub(super) products: Vec<String>,
}

impl Writer {
    /// What the change of a notice at `index` would make of the list. What does not fit goes to `wrong`.
    ///
    /// # Errors
    /// If the database fails.
    pub(super) async fn fit(
        &self,
        organization: &Organization,
        notice: &Notice,
        index: usize,
        wrong: &mut Violations,
    ) -> Result<Option<Fitted>> {
        let Some(change) = notice.changes.get(index) else { return Ok(None) };
        let known = wrong.len();
        let prefix = format!("notice.changes[{index}]");
        let mut refuse = |field: &str, rule: String| wrong.push((format!("{prefix}.{field}"), rule));
        let kind = change.kind();
        let is_own = |text: &str| {
            Name::parse(text).is_some_and(|name| {
                name.kind() == ResourceKind::Subprocessor
                    && name.parent().is_some_and(|parent| parent.as_str() == organization.name)
            })
        };
        if !is_own(&change.subprocessor) {
            let form = format!("{}/subprocessors/{{subprocessor}}", organization.name);
            refuse(
                "subprocessor",
                format!("must be a name of the form {form}, not \"{}\"", clip(&change.subprocessor)),
            );
            return Ok(None);
        }
        let before = self.engagement(&change.subprocessor).await?;
        if before.as_ref().is_some_and(Stored::is_deleted) {
            refuse("subprocessor", format!("{} is deleted", change.subprocessor));
            return Ok(None);
        }
        let mut replaced = Vec::new();
        for (i, name) in change.replaces.iter().enumerate() {
            let field = format!("replaces[{i}]");
            if *name == change.subprocessor || change.replaces[..i].contains(name) {
                refuse(&field, format!("\"{}\" stands in this change already", clip(name)));
                continue;
            }
            match self.engagement(name).await?.filter(|_| is_own(name)).filter(|one| !one.is_deleted()) {
                Some(one) if is_in_use(&one.message) => replaced.push(one),
                Some(one) => refuse(&field, format!("is {}, and cannot leave the list", word(one.message.state()))),
                None => refuse(&field, format!("{} does not exist in {}", clip(name), organization.name)),
            }
        }
        let Some(after) = self.values_to_come(change, before.as_ref(), &mut refuse)? else { return Ok(None) };
        let mut fields = Vec::new();
        let mut waits = adds(kind);
        if let Some(before) = before.as_ref().map(|before| &before.message).filter(|_| !adds(kind)) {
            fields = differing(before, &after);
            for field in fields.iter().filter(|field| !widening::fields(kind).contains(&field.as_str())) {
                let allowed = widening::fields(kind).join(", ");
                refuse(
                    &format!("proposed.{field}"),
                    format!("is not of a change of kind {}, which has: {allowed}", kind_word(kind)),
                );
            }
            waits = kind != Kind::Remove && !widened(before, &after).is_empty();
        }
        for (i, proposed) in change.proposed_transfers.iter().enumerate() {
            let Some(transfer) = &proposed.transfer else { continue };
            let mut violations = Violations::new();
            transfer.check("", &mut violations);
            for (field, rule) in violations {
                refuse(&format!("proposed_transfers[{i}].transfer.{field}"), rule);
            }
        }
        let mut places = product_paths("", &after.products);
        for (i, location) in after.locations.iter().enumerate() {
            places.extend(product_paths(&format!("locations[{i}]."), &location.products));
        }
        for (path, id) in places {
            if change.proposed.is_some() && !organization.products.iter().any(|product| product.product_id == id) {
                refuse(
                    &format!("proposed.{path}"),
                    format!("\"{}\" is not a product_id of {}", clip(&id), organization.name),
                );
            }
        }
        let mut products = after.products.clone();
        if let Some(before) = &before {
            // Who used it before is concerned as well as who will.
            let all = before.message.products.is_empty() || products.is_empty();
            products.extend(before.message.products.iter().cloned());
            products.sort();
            products.dedup();
            if all {
                products.clear();
            }
        }
        let fits = wrong.len() == known;
        Ok(fits.then_some(Fitted { before, after, replaced, fields, waits, products }))
    }

    /// The subprocessor with what a change proposes.
    fn values_to_come(
        &self,
        change: &NoticeChange,
        before: Option<&Stored<Subprocessor>>,
        refuse: &mut impl FnMut(&str, String),
    ) -> Result<Option<Subprocessor>> {
        let kind = change.kind();
        let proposed = change.proposed.clone().unwrap_or_default();
        let after = match before.map(|before| &before.message) {
            None if !adds(kind) => {
                refuse("subprocessor", format!("{} does not exist", clip(&change.subprocessor)));
                return Ok(None);
            }
            None if change.proposed.is_none() => {
                let rule = format!("is required: {} does not exist", clip(&change.subprocessor));
                refuse("proposed", rule);
                return Ok(None);
            }
            None => Subprocessor { name: change.subprocessor.clone(), ..proposed },
            Some(before) if adds(kind) => {
                if !matches!(before.state(), State::Proposed | State::Announced) {
                    refuse("subprocessor", format!("is {}: only what is PROPOSED can be added", word(before.state())));
                }
                // What publishing creates is what was proposed; what exists already is added as it stands.
                if change.proposed.is_some() && before.state() == State::Proposed {
                    let created = Subprocessor { name: before.name.clone(), ..proposed };
                    if !differing(before, &created).is_empty() {
                        refuse("proposed", format!("{} exists: propose nothing, or another name", before.name));
                    }
                }
                before.clone()
            }
            Some(before) => {
                if !is_in_use(before) {
                    refuse("subprocessor", format!("is {}: only what is in use can change", word(before.state())));
                }
                match mask::apply(before, &proposed, change.update_mask.as_ref()) {
                    Ok(after) => after,
                    Err(error) if matches!(error.reason(), Reason::UpdateMaskInvalid | Reason::FieldInvalid) => {
                        for (field, rule) in error.field_violations() {
                            refuse(field, rule.to_owned());
                        }
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        if change.proposed.is_some() {
            let (_, mut violations) = shape::examine(&after, "")?;
            after.check("", &mut violations);
            for (field, rule) in violations {
                refuse(&format!("proposed.{field}"), rule);
            }
        }
        Ok(Some(after))
    }
}

/// What one notice brings in twice: a subprocessor joins the list once, and a transfer has one content.
pub(super) fn brought_in_twice(notice: &Notice, wrong: &mut Violations) {
    let mut joined: HashMap<&str, usize> = HashMap::new();
    let mut transfers: HashMap<&str, (String, &ProposedTransfer)> = HashMap::new();
    for (i, change) in notice.changes.iter().enumerate().filter(|(_, change)| is_pending(change)) {
        if adds(change.kind()) {
            match joined.entry(&change.subprocessor) {
                Entry::Vacant(first) => {
                    first.insert(i);
                }
                Entry::Occupied(first) => wrong.push((
                    format!("notice.changes[{i}].subprocessor"),
                    format!("{} joins the list by changes[{}] already", change.subprocessor, first.get()),
                )),
            }
        }
        for (j, proposed) in change.proposed_transfers.iter().enumerate() {
            let path = format!("changes[{i}].proposed_transfers[{j}]");
            match transfers.entry(&proposed.transfer_id) {
                Entry::Vacant(first) => {
                    first.insert((path, proposed));
                }
                Entry::Occupied(first) if first.get().1.transfer == proposed.transfer => {}
                Entry::Occupied(first) => wrong.push((
                    format!("notice.{path}.transfer_id"),
                    format!("\"{}\" is another transfer in {}", proposed.transfer_id, first.get().0),
                )),
            }
        }
    }
}

fn is_in_use(subprocessor: &Subprocessor) -> bool {
    matches!(subprocessor.state(), State::Active | State::Suspended)
}

fn word(state: State) -> &'static str {
    state.as_str_name().trim_start_matches("STATE_")
}

/// The fields a caller sets in which two versions differ.
pub(super) fn differing(before: &Subprocessor, after: &Subprocessor) -> Vec<String> {
    let (before, after) = (before.transcode_to_dynamic(), after.transcode_to_dynamic());
    let descriptor = before.descriptor();
    let set = descriptor.fields().filter(|field| {
        let behavior = behavior::of(field);
        !behavior.output_only && !behavior.conditional
    });
    set.filter(|field| before.get_field(field) != after.get_field(field)).map(|field| field.name().to_owned()).collect()
}

/// What does not fit, as a refusal of something that was in order when it was drafted.
pub(super) fn no_longer_fits(name: &str, wrong: Violations) -> Error {
    let lines: Vec<String> = wrong.iter().map(|(field, rule)| format!("{field} {rule}")).collect();
    let error = Error::new(Reason::NoticeRefused, format!("{name} does not fit the registry: {}", lines.join("; ")));
    lines.into_iter().fold(error, |error, line| error.precondition("NOTICE", name, line))
}

//! Making the registry hold what a manifest says: everything in it, in one revision, or nothing.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{Entry, Flavour, Manifest, Place, Problems, read::read_on, section_key};
use crate::{
    call::Call,
    error::{Error, Reason, Result},
    proto::v1::{
        ApplyManifestResponse, Certification, Customer, Document, FieldDiff, Organization, PlannedChange, Subprocessor,
        Transfer, planned_change::Action,
    },
    resource::{
        diff,
        name::{Kind, Name},
    },
    store::{
        Store,
        standard::{Established, Managed},
        version::{Reference, Resource, Stored},
        writer::Writer,
    },
};

/// Applies a manifest. With `prune`, what the organization has and the manifest does not is deleted.
///
/// # Errors
/// MANIFEST_INVALID with every error, its path and its line; RESOURCE_IN_USE if something that is pruned is in use;
/// REVISION_TOO_LARGE.
pub async fn apply(store: &Store, call: Call, text: &str, prune: bool) -> Result<ApplyManifestResponse> {
    // A text of megabytes takes seconds, in which other calls want the thread.
    let text = text.to_owned();
    let reading = tokio::task::spawn_blocking(move || read_on(&text, Flavour::Operator));
    let (manifest, problems) = reading.await.map_err(Error::internal)??;
    if problems.list().is_empty() {
        return store.write(call, move |writer| Box::pin(run(writer, manifest, prune))).await;
    }
    // It cannot be written. What it refers to is looked up all the same, so that both are said at once.
    let problems = store.foresee(call, move |writer| Box::pin(look_up(writer, manifest, problems))).await?;
    Err(problems.into_error().unwrap_or_else(|| Error::internal("a manifest is refused for nothing")))
}

/// Adds what the entries of a manifest refer to that is nowhere.
async fn look_up(writer: &Writer, manifest: Manifest, mut problems: Problems) -> Result<Problems> {
    if problems.is_full() {
        return Ok(problems);
    }
    let mut listed = References::default();
    listed.gather(manifest.organization);
    listed.gather(manifest.documents);
    listed.gather(manifest.vendors);
    listed.gather(manifest.certifications);
    listed.gather(manifest.subprocessors);
    listed.gather(manifest.transfers);
    listed.gather(manifest.customers);
    let sections = Flavour::Operator.sections().iter().copied();
    let hidden: Vec<Kind> = sections.filter(|kind| problems.hides(section_key(*kind))).collect();
    let judged = writer.judge(&listed.references, &listed.own).await?;
    for ((reference, place), wrong) in listed.references.iter().zip(listed.places).zip(judged) {
        let Some((reason, rule)) = wrong else { continue };
        let may_be_there = || Name::parse(&reference.name).is_some_and(|name| hidden.contains(&name.kind()));
        let (path, line) = place.locate(&reference.field);
        if !problems.has(&path) && (reason == Reason::FieldInvalid || !may_be_there()) {
            problems.add(&path, line, || rule);
        }
    }
    Ok(problems)
}

/// What the entries of a manifest refer to.
#[derive(Default)]
struct References {
    references: Vec<Reference>,
    /// Where the entry of each stands.
    places: Vec<Arc<Place>>,
    /// The names of the entries.
    own: HashSet<String>,
}

impl References {
    fn gather<R: Managed>(&mut self, entries: impl IntoIterator<Item = Entry<R>>) {
        for Entry { message, place } in entries {
            self.own.insert(message.header().name.to_owned());
            let (references, place) = (message.references(), Arc::new(place));
            self.places.extend(references.iter().map(|_| Arc::clone(&place)));
            self.references.extend(references);
        }
    }
}

async fn run(writer: &mut Writer, manifest: Manifest, prune: bool) -> Result<ApplyManifestResponse> {
    let current = writer.revision();
    let Manifest {
        version: _,
        organization,
        documents,
        vendors,
        instruments: _,
        certifications,
        subprocessors,
        transfers,
        customers,
    } = manifest;
    let organization = organization.ok_or_else(|| Error::internal("a manifest was read without an organization"))?;
    let pruned = if prune {
        let listed = Listed {
            certifications: &certifications,
            documents: &documents,
            subprocessors: &subprocessors,
            transfers: &transfers,
            customers: &customers,
        };
        Some(Pruned::find(writer, &organization.message.name, &listed).await?)
    } else {
        None
    };
    let mut run =
        Run { writer, plan: Vec::new(), problems: Problems::default(), places: HashMap::new(), failed: HashSet::new() };
    // The organization's children need it; otherwise the order is only that of the plan.
    let vendors = run.section(vendors).await?;
    let organization = run.section(vec![organization]).await?;
    let certifications = run.section(certifications).await?;
    let documents = run.section(documents).await?;
    let subprocessors = run.section(subprocessors).await?;
    let transfers = run.section(transfers).await?;
    let customers = run.section(customers).await?;
    if let Some(pruned) = pruned.filter(|_| !run.problems.is_full()) {
        // What refers goes before what it refers to.
        run.prune(pruned.customers).await?;
        run.prune(pruned.transfers).await?;
        run.prune(pruned.subprocessors).await?;
        run.prune(pruned.documents).await?;
        run.prune(pruned.certifications).await?;
    }
    run.verify(vendors).await?;
    run.verify(organization).await?;
    run.verify(documents).await?;
    run.verify(certifications).await?;
    run.verify(subprocessors).await?;
    run.verify(transfers).await?;
    run.verify(customers).await?;
    run.report_dangling().await?;
    let Run { writer, plan, problems, .. } = run;
    if let Some(error) = problems.into_error() {
        return Err(error);
    }
    let revision = if writer.call().validate_only { current } else { writer.revision() };
    Ok(ApplyManifestResponse { revision, plan })
}

struct Run<'a> {
    writer: &'a mut Writer,
    plan: Vec<PlannedChange>,
    problems: Problems,
    places: HashMap<String, Place>,
    /// What stands in the manifest and could not be written, which was said already.
    failed: HashSet<String>,
}

impl Run<'_> {
    /// Writes a section. Its rules that look at others are asked by [`Self::verify`], when all is written.
    async fn section<R: Managed>(&mut self, entries: Vec<Entry<R>>) -> Result<Vec<Established<R>>> {
        let mut done = Vec::with_capacity(entries.len());
        for Entry { message, place } in entries {
            if self.problems.is_full() {
                break;
            }
            let name = message.header().name.to_owned();
            let parent = Name::parse(&name).and_then(|name| name.parent());
            if parent.is_some_and(|parent| self.failed.contains(parent.as_str())) {
                self.failed.insert(name);
                continue;
            }
            match self.writer.establish(&message).await {
                Ok(established) => {
                    let live = established.before.as_ref().filter(|before| !before.is_deleted());
                    self.note(live.map(|before| &before.message), Some(&established.after));
                    for (field, rule) in &established.wrong {
                        self.add(&place, within(R::KIND.singular(), field), rule.clone());
                    }
                    done.push(established);
                }
                Err(error) => {
                    self.refuse(&place, R::KIND.singular(), error)?;
                    self.failed.insert(name.clone());
                }
            }
            self.places.insert(name, place);
        }
        Ok(done)
    }

    async fn verify<R: Managed>(&mut self, established: Vec<Established<R>>) -> Result<()> {
        for Established { before, after, wrong: _ } in established {
            if self.problems.is_full() {
                break;
            }
            let verified = after.verify(self.writer, before.as_ref()).await;
            let outcome = if verified.is_ok() { after.follow(self.writer).await } else { verified };
            if let Err(error) = outcome
                && let Some(place) = self.places.remove(after.header().name)
            {
                self.refuse(&place, R::KIND.singular(), error)?;
                self.places.insert(after.header().name.to_owned(), place);
            }
        }
        Ok(())
    }

    /// Adds a change to the plan, if there is one.
    fn note<R: Resource>(&mut self, before: Option<&R>, after: Option<&R>) {
        let (old, new) = (before.map(R::transcode_to_dynamic), after.map(R::transcode_to_dynamic));
        let diffs = diff::diff(old.as_ref(), new.as_ref());
        let action = match (before, after) {
            (None, Some(_)) => Action::Create,
            (Some(_), None) => Action::Delete,
            _ if diffs.is_empty() => return,
            _ => Action::Update,
        };
        let name = before.or(after).map(|message| message.header().name.to_owned()).unwrap_or_default();
        let field_diffs = diffs.into_iter().map(FieldDiff::from).collect();
        self.plan.push(PlannedChange { action: action.into(), resource_name: name, field_diffs });
    }

    /// What one resource is refused for is one error of the manifest among others; what is not about the manifest ends
    /// it.
    fn refuse(&mut self, place: &Place, singular: &str, error: Error) -> Result<()> {
        let fields: Vec<(String, String)> = error
            .field_violations()
            .map(|(field, rule)| (within(singular, field).to_owned(), rule.to_owned()))
            .collect();
        match error.reason() {
            Reason::Internal | Reason::DatabaseUnavailable | Reason::RevisionTooLarge | Reason::Unspecified => {
                return Err(error);
            }
            Reason::GateRefused => {
                for (kind, text) in error.preconditions() {
                    let gate = kind.trim_start_matches("GATE_");
                    self.add(place, "", format!("the gate {gate} is not met: {text}"));
                }
            }
            _ if fields.is_empty() => self.add(place, "", error.to_string()),
            _ => fields.into_iter().for_each(|(field, rule)| self.add(place, &field, rule)),
        }
        Ok(())
    }

    fn add(&mut self, place: &Place, field: &str, rule: String) {
        let (path, line) = place.locate(field);
        self.problems.add(&path, line, || rule);
    }

    async fn prune<R: Managed>(&mut self, leaving: Vec<Stored<R>>) -> Result<()> {
        for stored in leaving {
            let name = Name::of(R::KIND, "name", stored.name())?;
            self.writer.delete::<R>(&name, "").await?;
            self.note(Some(&stored.message), None);
        }
        Ok(())
    }

    async fn report_dangling(&mut self) -> Result<()> {
        if self.problems.is_full() {
            return Ok(());
        }
        for dangling in self.writer.dangling().await? {
            if self.failed.contains(&dangling.to) {
                continue;
            }
            if let Some(place) = self.places.remove(&dangling.from) {
                self.add(&place, &dangling.field, dangling.rule);
                self.places.insert(dangling.from, place);
            }
        }
        Ok(())
    }
}

/// What an organization has and its manifest does not.
#[derive(Default)]
struct Pruned {
    documents: Vec<Stored<Document>>,
    subprocessors: Vec<Stored<Subprocessor>>,
    customers: Vec<Stored<Customer>>,
    certifications: Vec<Stored<Certification>>,
    transfers: Vec<Stored<Transfer>>,
}

/// What its manifest has.
struct Listed<'a> {
    certifications: &'a [Entry<Certification>],
    documents: &'a [Entry<Document>],
    subprocessors: &'a [Entry<Subprocessor>],
    transfers: &'a [Entry<Transfer>],
    customers: &'a [Entry<Customer>],
}

impl Pruned {
    async fn find(writer: &Writer, organization: &str, listed: &Listed<'_>) -> Result<Self> {
        let name = Name::of(Organization::KIND, "organization.id", organization)?;
        let Some(organization) = writer.find::<Organization>(&name).await? else {
            return Ok(Self::default());
        };
        let id = organization.resource_id;
        Ok(Self {
            documents: missing(writer.all(id).await?, listed.documents),
            subprocessors: missing(writer.all(id).await?, listed.subprocessors),
            customers: missing(writer.all(id).await?, listed.customers),
            // Those of vendors are shared: they are nobody's to prune.
            certifications: missing(writer.all(id).await?, listed.certifications),
            transfers: missing(writer.all(id).await?, listed.transfers),
        })
    }
}

/// The path of a field inside its resource.
fn within<'a>(singular: &str, field: &'a str) -> &'a str {
    field.strip_prefix(singular).map_or(field, |rest| rest.trim_start_matches('.'))
}

fn missing<R: Resource>(stored: Vec<Stored<R>>, entries: &[Entry<R>]) -> Vec<Stored<R>> {
    let listed: BTreeSet<&str> = entries.iter().map(|entry| entry.message.header().name).collect();
    stored.into_iter().filter(|stored| !listed.contains(stored.name())).collect()
}

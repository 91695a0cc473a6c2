//! The standard methods (AIP-131 to 135, 164) for every resource, with the places where a resource's own rules come in.

use futures::{FutureExt, future::BoxFuture};
use prost_reflect::ReflectMessage;
use prost_types::FieldMask;

use super::{
    version::{Resource, Stored, timestamp},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result},
    resource::{
        mask,
        name::{ID_RULE, Name, is_id},
        shape::{self, Violations},
    },
};

/// A resource that callers write, with its own rules.
pub trait Managed: Resource {
    /// Rules on the message alone, beyond its shape. Paths begin with `prefix`.
    fn check(&self, prefix: &str, out: &mut Violations);

    /// What the server decides about a version before it is written. `before` is the version that is replaced.
    ///
    /// # Errors
    /// FIELD_INVALID if the caller says what is the server's to say.
    fn admit<'a>(&'a mut self, _writer: &'a Writer, _before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async { Ok(()) }.boxed()
    }

    /// Takes over what a manifest that is silent about it does not change: what methods of the resource's own have set.
    fn inherit(&mut self, _before: &Stored<Self>) {}

    /// Rules that look at other resources. They are asked when everything is written that one call writes, so that a
    /// manifest is judged by what it makes of the registry, not by the order in which it gets there.
    ///
    /// # Errors
    /// The rule that is broken.
    fn verify<'a>(&'a self, writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>>;

    /// Writes what follows from this for other resources: a customer that joins has notices to be told of.
    ///
    /// # Errors
    /// If the write fails.
    fn follow<'a>(&'a self, _writer: &'a mut Writer) -> BoxFuture<'a, Result<()>> {
        async { Ok(()) }.boxed()
    }
}

/// What became of a resource of a manifest.
#[derive(Debug)]
pub struct Established<R> {
    /// The version before, deleted or not.
    pub before: Option<Stored<R>>,
    /// What is written.
    pub after: R,
    /// What is wrong with it in itself.
    pub wrong: Violations,
}

/// What a Create request asks for, checked as far as it can be without the database.
#[derive(Debug)]
pub struct Creation<R> {
    /// The message, with its name.
    pub(super) message: R,
}

impl<R> Creation<R> {
    /// What is to be created, with its name.
    pub fn message(&self) -> &R {
        &self.message
    }

    /// The same, taken out.
    pub fn into_message(self) -> R {
        self.message
    }
}

/// Checks a Create request: parent, id and message, all at once.
///
/// # Errors
/// FIELD_INVALID with every field that breaks a rule.
pub fn creation<R: Managed>(parent: Option<&str>, id: &str, message: Option<&R>) -> Result<Creation<R>> {
    let field = R::KIND.singular();
    let mut violations = Violations::new();
    let parent = parent.and_then(|text| match Name::parent_of(R::KIND, text) {
        Ok(name) => Some(name),
        Err(error) => {
            violations.extend(error.field_violations().map(|(f, r)| (f.to_owned(), r.to_owned())));
            None
        }
    });
    if !id.is_empty() && !is_id(id) {
        violations.push((format!("{field}_id"), format!("{ID_RULE}, not \"{}\"", crate::error::clip(id))));
    }
    let mut accepted = R::default();
    match message {
        None => violations.push((field.to_owned(), "is required".to_owned())),
        Some(message) => {
            let (message, wrong) = shape::examine(message, field)?;
            violations.extend(wrong);
            message.check(field, &mut violations);
            accepted = message;
        }
    }
    if !violations.is_empty() {
        return Err(Error::fields(Reason::FieldInvalid, violations));
    }
    let made;
    let id = if id.is_empty() {
        made = uuid::Uuid::now_v7().simple().to_string();
        &made
    } else {
        id
    };
    Name::new(R::KIND, parent.as_ref(), id).as_str().clone_into(accepted.header_mut().name);
    Ok(Creation { message: accepted })
}

/// What an Update request asks for.
#[derive(Debug)]
pub struct Change<R> {
    name: Name,
    etag: String,
    message: R,
    mask: Option<FieldMask>,
}

/// Checks an Update request as far as it can be without the database.
///
/// # Errors
/// FIELD_INVALID with every field that breaks a rule.
pub fn change<R: Managed>(message: Option<R>, mask: Option<FieldMask>) -> Result<Change<R>> {
    let field = R::KIND.singular();
    let message = message.ok_or_else(|| Error::field(field, "is required"))?;
    let name = Name::of(R::KIND, &format!("{field}.name"), message.header().name)?;
    let etag = message.header().etag.to_owned();
    Ok(Change { name, etag, message, mask })
}

impl Writer {
    /// Creates a resource.
    ///
    /// # Errors
    /// RESOURCE_EXISTS for an id once used, and what the resource's own rules refuse.
    pub async fn create<R: Managed>(&mut self, creation: Creation<R>) -> Result<R> {
        let message = creation.message;
        self.refuse_name_in_use(&message).await?;
        self.settle(None, message).await
    }

    /// Changes a resource.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED, ETAG_STALE, UPDATE_MASK_INVALID, FIELD_INVALID, and what the resource's own
    /// rules refuse.
    pub async fn update<R: Managed>(&mut self, change: Change<R>) -> Result<R> {
        let Change { name, etag, message, mask } = change;
        let before = self.get::<R>(&name).await?;
        refuse_deleted(&before)?;
        match_etag(&before, &etag)?;
        let merged = mask::apply(&before.message, &message, mask.as_ref())?;
        self.replace(&before, merged).await
    }

    /// Puts `message` in the place of `before`, after all checks.
    async fn replace<R: Managed>(&mut self, before: &Stored<R>, message: R) -> Result<R> {
        let (mut accepted, mut violations) = shape::examine(&message, R::KIND.singular())?;
        restore_output_only(&before.message, &mut accepted)?;
        accepted.check(R::KIND.singular(), &mut violations);
        if !violations.is_empty() {
            return Err(Error::fields(Reason::FieldInvalid, violations));
        }
        self.settle(Some(before), accepted).await
    }

    /// Writes a message that is in order as such, and verifies it.
    async fn settle<R: Managed>(&mut self, before: Option<&Stored<R>>, mut message: R) -> Result<R> {
        let mut wrong = Violations::new();
        collect(message.admit(self, before).await, &mut wrong)?;
        // `create` has looked at the name.
        let after = self.put_unused(before, message).await?;
        collect(after.verify(self, before).await, &mut wrong)?;
        if !wrong.is_empty() {
            return Err(Error::fields(Reason::FieldInvalid, wrong));
        }
        after.follow(self).await?;
        Ok(after)
    }

    /// Makes a resource what `message` says, whatever it was before: new, live or deleted. For manifests, which
    /// have checked its shape, and which verify it when all is written; what is wrong with it until then is returned,
    /// not refused, so that what refers to it finds it.
    ///
    /// # Errors
    /// If the write fails, whatever the message says.
    pub async fn establish<R: Managed>(&mut self, message: &R) -> Result<Established<R>> {
        let name = Name::of(R::KIND, "name", message.header().name)?;
        let before = self.find::<R>(&name).await?;
        let mut wrong = Violations::new();
        let mut merged = message.clone();
        if let Some(live) = before.as_ref().filter(|before| !before.is_deleted()) {
            // One that is brought back is as the manifest has it; one that is live has fields that cannot change.
            let everything = FieldMask { paths: vec!["*".to_owned()] };
            collect(mask::apply(&live.message, message, Some(&everything)).map(drop), &mut wrong)?;
        }
        if let Some(before) = &before {
            merged.inherit(before);
        }
        let (mut merged, violations) = shape::examine(&merged, R::KIND.singular())?;
        wrong.extend(violations);
        if let Some(before) = &before {
            restore_output_only(&before.message, &mut merged)?;
            *merged.header_mut().delete_time = None;
        }
        message.header().name.clone_into(merged.header_mut().name);
        merged.check(R::KIND.singular(), &mut wrong);
        collect(merged.admit(self, before.as_ref()).await, &mut wrong)?;
        let after = self.put(before.as_ref(), merged).await?;
        Ok(Established { before, after, wrong })
    }

    /// Marks a resource as deleted.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, also if it is deleted already; ETAG_STALE; RESOURCE_IN_USE.
    pub async fn delete<R: Managed>(&mut self, name: &Name, etag: &str) -> Result<R> {
        let before = self.get::<R>(name).await?;
        if before.is_deleted() {
            return Err(Error::new(Reason::ResourceNotFound, format!("{name} is deleted already"))
                .resource(R::KIND.singular(), name.as_str()));
        }
        match_etag(&before, etag)?;
        let mut message = before.message.clone();
        *message.header_mut().delete_time = Some(timestamp(self.now().as_microsecond()));
        let after = self.put(Some(&before), message).await?;
        after.follow(self).await?;
        Ok(after)
    }

    /// Brings a deleted resource back.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND; RESOURCE_NOT_DELETED; ETAG_STALE; REFERENCE_NOT_FOUND, and what the resource's own rules
    /// refuse.
    pub async fn undelete<R: Managed>(&mut self, name: &Name, etag: &str) -> Result<R> {
        let before = self.get::<R>(name).await?;
        if !before.is_deleted() {
            return Err(Error::new(Reason::ResourceNotDeleted, format!("{name} is not deleted"))
                .resource(R::KIND.singular(), name.as_str()));
        }
        match_etag(&before, etag)?;
        let mut message = before.message.clone();
        *message.header_mut().delete_time = None;
        self.settle(Some(&before), message).await
    }
}

/// Keeps what is wrong with fields for later, so that all of it is said at once; anything else ends the write.
///
/// # Errors
/// Anything but FIELD_INVALID.
pub fn collect(outcome: Result<()>, wrong: &mut Violations) -> Result<()> {
    match outcome {
        Err(error) if error.reason() == Reason::FieldInvalid => {
            wrong.extend(error.field_violations().map(|(field, rule)| (field.to_owned(), rule.to_owned())));
            Ok(())
        }
        other => other,
    }
}

/// Refuses to change what is deleted.
///
/// # Errors
/// RESOURCE_DELETED.
pub fn refuse_deleted<R: Resource>(before: &Stored<R>) -> Result<()> {
    if before.is_deleted() {
        let message = format!("{} is deleted; undelete it first", before.name());
        return Err(Error::new(Reason::ResourceDeleted, message).resource(R::KIND.singular(), before.name()));
    }
    Ok(())
}

/// Compares an etag, if the caller sent one.
///
/// # Errors
/// ETAG_STALE.
pub fn match_etag<R: Resource>(before: &Stored<R>, etag: &str) -> Result<()> {
    let current = before.message.header().etag;
    if etag.is_empty() || etag == current {
        return Ok(());
    }
    let message = format!("{} was changed by somebody else; read it again", before.name());
    Err(Error::new(Reason::EtagStale, message)
        .resource(R::KIND.singular(), before.name())
        .with("etag", current)
        .with("revision", before.from_revision))
}

/// What only the server says of a resource stays as it was: a caller's message had it removed.
fn restore_output_only<R: Resource>(before: &R, accepted: &mut R) -> Result<()> {
    let old = before.transcode_to_dynamic();
    let mut new = accepted.transcode_to_dynamic();
    for field in old.descriptor().fields() {
        if crate::resource::behavior::of(&field).output_only && old.has_field(&field) {
            new.set_field(&field, old.get_field(&field).into_owned());
        }
    }
    *accepted = new.transcode_to().map_err(Error::internal)?;
    Ok(())
}

/// The path of a field of a resource in a request.
pub fn path(prefix: &str, field: &str) -> String {
    if prefix.is_empty() { field.to_owned() } else { format!("{prefix}.{field}") }
}

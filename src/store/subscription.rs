//! Subscriptions: who wants to be told, and the secrets of their webhooks, which are kept sealed and apart from the log.

use std::collections::HashMap;

use futures::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use sha2::{Digest, Sha256};

use super::{
    Store,
    entity::resource,
    outbox::{self, entity::secret},
    standard::{Creation, Managed, match_etag, path, refuse_deleted},
    version::{Reference, Resource, Stored, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::{Customer, Organization, Subscription, subscription::Channel, subscription::State},
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
        shape::Violations,
        text,
    },
    rules::{event, notice::stamp},
};

/// Event types that one subscription may name.
const MOST: usize = 32;

version_table!(Subscription, table "subscription", entity versions, {
    customer: String = |m| m.customer.clone(),
    state: i32 = |m| m.state,
    endpoint_digest: String = |m| endpoint(m).map(digest).unwrap_or_default(),
});

impl Resource for Subscription {
    const KIND: Kind = Kind::Subscription;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("customer", FieldKind::Text),
        Field::new("state", FieldKind::Choice("subprocessor.registry.v1.Subscription.State")),
        Field::new("event_types", FieldKind::Texts),
        Field::new("products", FieldKind::Texts),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        let types = self.event_types.iter().map(|one| ("event_types", one.clone()));
        types.chain(self.products.iter().map(|one| ("products", one.clone()))).collect()
    }

    /// It holds nothing back: where a customer or a product goes, there is nothing left to tell.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
}

/// Where it leads: the URL or the address.
pub fn endpoint(subscription: &Subscription) -> Option<&str> {
    match subscription.channel.as_ref()? {
        Channel::Webhook(webhook) => Some(&webhook.uri),
        Channel::Email(email) => Some(&email.address),
    }
}

/// By which an endpoint is found again without being a column.
fn digest(endpoint: &str) -> String {
    hex::encode(Sha256::digest(endpoint))
}

impl Managed for Subscription {
    fn check(&self, prefix: &str, out: &mut Violations) {
        let mut refuse = |field: &str, rule: String| out.push((path(prefix, field), rule));
        match &self.channel {
            None => refuse("webhook", "either webhook or email is required".to_owned()),
            Some(Channel::Webhook(webhook)) if webhook.uri.is_empty() => {
                refuse("webhook.uri", "is required".to_owned());
            }
            Some(Channel::Email(email)) if email.address.is_empty() => {
                refuse("email.address", "is required".to_owned());
            }
            Some(_) => {}
        }
        if self.event_types.len() > MOST {
            refuse("event_types", format!("has more than {MOST} values"));
        }
        let is_own = matches!(self.channel, Some(Channel::Webhook(_))) && self.customer.is_empty();
        for (i, kind) in self.event_types.iter().enumerate().take(MOST) {
            let field = format!("event_types[{i}]");
            if event::INTERNAL.contains(&kind.as_str()) {
                if !is_own {
                    let rule = format!("\"{kind}\" is not public: only a webhook without a customer can have it");
                    refuse(&field, rule);
                }
            } else if !event::PUBLIC.contains(&kind.as_str()) {
                let known = [event::PUBLIC.as_slice(), &event::INTERNAL].concat().join(", ");
                refuse(&field, format!("must be one of {known}, not \"{}\"", clip(kind)));
            }
        }
    }

    fn admit<'a>(&'a mut self, _writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            let Some(before) = before else {
                self.set_state(State::PendingVerification);
                if let Some(Channel::Webhook(webhook)) = &mut self.channel {
                    webhook.secret_set = true;
                }
                return Ok(());
            };
            let known = &before.message;
            if endpoint(known) != endpoint(self) {
                let field = match self.channel {
                    Some(Channel::Email(_)) => "subscription.email.address",
                    _ => "subscription.webhook.uri",
                };
                return Err(Error::field(field, "cannot be changed: make another subscription"));
            }
            if let (Some(Channel::Webhook(old)), Some(Channel::Webhook(new))) = (&known.channel, &mut self.channel) {
                if !new.secret.is_empty() {
                    return Err(Error::field("subscription.webhook.secret", "is changed by RotateSubscriptionSecret"));
                }
                (new.secret_set, new.previous_secret_expire_time) = (old.secret_set, old.previous_secret_expire_time);
            }
            let state = match known.state() {
                _ if before.is_deleted() => State::PendingVerification,
                State::Active if self.paused => State::Paused,
                State::Paused if !self.paused => State::Active,
                other => other,
            };
            self.set_state(state);
            Ok(())
        }
        .boxed()
    }

    fn verify<'a>(&'a self, writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            // It holds the organization back in nothing, so nobody else asks whether that is still there.
            if before.is_none_or(Stored::is_deleted)
                && let Some(parent) = Name::parse(&self.name).and_then(|name| name.parent())
                && writer.existing::<Organization>(&parent).await?.is_none()
            {
                let rule = format!("{parent} is deleted");
                return Err(Error::new(Reason::ReferenceNotFound, format!("parent: {rule}")).precondition(
                    "REFERENCE",
                    parent.as_str(),
                    format!("parent: {rule}"),
                ));
            }
            super::organization::check_products(
                writer,
                &self.name,
                Self::KIND.singular(),
                super::organization::product_paths("", &self.products),
            )
            .await?;
            if self.customer.is_empty() || self.delete_time.is_some() {
                return Ok(());
            }
            let field = "subscription.customer";
            let customer = Name::of(Kind::Customer, field, &self.customer)?;
            let own = Name::parse(&self.name).and_then(|name| name.organization());
            if customer.organization() != own {
                return Err(Error::field(field, "must be a customer of the same organization"));
            }
            match writer.existing::<Customer>(&customer).await? {
                Some(_) => Ok(()),
                None => {
                    let message = format!("{field}: {customer} does not exist");
                    Err(Error::new(Reason::ReferenceNotFound, message).precondition(
                        "REFERENCE",
                        customer.as_str(),
                        "does not exist",
                    ))
                }
            }
        }
        .boxed()
    }
}

/// What is said of a subscription that is not in the state that something needs.
pub(super) fn wrong_state(subscription: &Subscription, needs: &str) -> Error {
    let state = subscription.state().as_str_name().trim_start_matches("STATE_");
    let text = format!("{} is {state}; {needs}", subscription.name);
    Error::new(Reason::StateTransitionRefused, text.clone()).with("state", state).precondition(
        "STATE",
        &subscription.name,
        text,
    )
}

impl Store {
    /// The live subscription of anybody, for no customer, that leads to an address; that which can get something, if
    /// there are several.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn subscription_of(&self, parent: &str, address: &str) -> Result<Option<Subscription>> {
        let head = self.head().await?;
        let found = self.at::<Subscription>("endpoint_digest", vec![digest(address)], head).await?;
        let own = found.into_values().filter(|one| {
            one.customer.is_empty()
                && Name::parse(&one.name).and_then(|name| name.parent()).is_some_and(|name| name.as_str() == parent)
        });
        Ok(own.min_by_key(|one| (!matches!(one.state(), State::Active | State::Paused), one.name.clone())))
    }
}

impl Writer {
    /// Creates a subscription with the sealed secret of a webhook, and queues the question whether it is wanted.
    ///
    /// # Errors
    /// RESOURCE_EXISTS, FIELD_INVALID, REFERENCE_NOT_FOUND.
    pub async fn subscribe(
        &mut self,
        creation: Creation<Subscription>,
        sealed: Option<Vec<u8>>,
    ) -> Result<Subscription> {
        let created = self.create(creation).await?;
        if let Some(sealed) = sealed {
            self.keep_secret(&created.uid, 1, sealed).await?;
        }
        self.ask_to_verify(&created).await?;
        Ok(created)
    }

    /// Brings a subscription back, and asks again whether it is wanted.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_NOT_DELETED, ETAG_STALE.
    pub async fn resubscribe(&mut self, name: &Name, etag: &str) -> Result<Subscription> {
        let subscription = self.undelete::<Subscription>(name, etag).await?;
        self.ask_to_verify(&subscription).await?;
        Ok(subscription)
    }

    /// Makes a subscription ACTIVE, whose other end has agreed. One that is ACTIVE or PAUSED already stays as it is.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED.
    pub async fn verify_subscription(&mut self, name: &Name) -> Result<Subscription> {
        let before = self.get::<Subscription>(name).await?;
        refuse_deleted(&before)?;
        if matches!(before.message.state(), State::Active | State::Paused) {
            return Ok(before.message);
        }
        let mut after = before.message.clone();
        after.set_state(if after.paused { State::Paused } else { State::Active });
        after.verify_time = stamp(self.now());
        (after.disable_reason, after.disable_time) = (String::new(), None);
        self.put(Some(&before), after).await
    }

    /// Sends the question again whether a subscription is wanted.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED; STATE_TRANSITION_REFUSED if it is verified.
    pub async fn ask_again(&mut self, name: &Name) -> Result<Subscription> {
        let stored = self.get::<Subscription>(name).await?;
        refuse_deleted(&stored)?;
        if matches!(stored.message.state(), State::Active | State::Paused) {
            return Err(wrong_state(&stored.message, "there is nothing to verify"));
        }
        self.ask_to_verify(&stored.message).await?;
        Ok(stored.message)
    }

    async fn ask_to_verify(&self, subscription: &Subscription) -> Result<()> {
        outbox::queue_own(self, subscription, event::VERIFICATION).await.map(drop)
    }

    /// Ends a subscription whose other end is gone.
    ///
    /// # Errors
    /// If the write fails.
    pub async fn disable_subscription(&mut self, name: &Name, reason: &str) -> Result<()> {
        let Some(before) = self.existing::<Subscription>(name).await? else { return Ok(()) };
        if before.message.state() == State::Disabled {
            return Ok(());
        }
        let mut after = before.message.clone();
        after.set_state(State::Disabled);
        // It may be what a mail server answered, which quotes the address; the log is for good.
        after.disable_reason = text::without_addresses(reason);
        after.disable_time = stamp(self.now());
        self.put(Some(&before), after).await.map(drop)
    }

    /// Gives a webhook another secret; the one before signs beside it for `overlap`.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, RESOURCE_DELETED, ETAG_STALE; FIELD_INVALID for what is no webhook.
    pub async fn rotate_secret(
        &mut self,
        name: &Name,
        etag: &str,
        sealed: Vec<u8>,
        overlap: SignedDuration,
    ) -> Result<Subscription> {
        let before = self.get::<Subscription>(name).await?;
        refuse_deleted(&before)?;
        match_etag(&before, etag)?;
        let mut after = before.message.clone();
        let Some(Channel::Webhook(webhook)) = &mut after.channel else {
            return Err(Error::field("name", "is no webhook: only webhooks have a secret"));
        };
        let now = self.now();
        let end = now.checked_add(overlap).map_err(Error::internal)?;
        webhook.previous_secret_expire_time = stamp(end).filter(|_| end > now);
        let uid = after.uid.clone();
        secret::Entity::delete_many()
            .filter(secret::Column::Uid.eq(&uid))
            .filter(secret::Column::ExpireTime.lte(now.as_microsecond()))
            .exec(self.tx())
            .await?;
        secret::Entity::update_many()
            .col_expr(secret::Column::ExpireTime, Expr::value(end.as_microsecond()))
            .filter(secret::Column::Uid.eq(&uid))
            .filter(secret::Column::ExpireTime.gt(end.as_microsecond()))
            .exec(self.tx())
            .await?;
        let latest = secret::Entity::find()
            .filter(secret::Column::Uid.eq(&uid))
            .order_by_desc(secret::Column::Number)
            .one(self.tx())
            .await?;
        let number = latest.map_or(1, |row| row.number + 1);
        self.keep_secret(&uid, number, sealed).await?;
        self.put(Some(&before), after).await
    }

    async fn keep_secret(&self, uid: &str, number: i32, sealed: Vec<u8>) -> Result<()> {
        let row = secret::ActiveModel {
            uid: Set(uid.to_owned()),
            number: Set(number),
            sealed: Set(sealed),
            expire_time: Set(i64::MAX),
        };
        secret::Entity::insert(row).exec_without_returning(self.tx()).await?;
        Ok(())
    }

    /// Forgets the secrets of a subscription that is deleted for good.
    pub(super) async fn forget_secrets(&self, uid: &str) -> Result<()> {
        secret::Entity::delete_many().filter(secret::Column::Uid.eq(uid)).exec(self.tx()).await?;
        Ok(())
    }
}

impl Store {
    /// The sealed secrets of subscriptions that sign at an instant, by uid, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn secrets(&self, uids: &[String], at: Timestamp) -> Result<HashMap<String, Vec<Vec<u8>>>> {
        let mut found: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
        if uids.is_empty() {
            return Ok(found);
        }
        let rows = secret::Entity::find()
            .filter(secret::Column::Uid.is_in(uids))
            .filter(secret::Column::ExpireTime.gt(at.as_microsecond()))
            .order_by_desc(secret::Column::Number)
            .all(self.reads())
            .await?;
        for row in rows {
            found.entry(row.uid).or_default().push(row.sealed);
        }
        Ok(found)
    }

    /// The oldest subscription with a secret that signs at an instant, by its name, and that secret, sealed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn oldest_secret(&self, at: Timestamp) -> Result<Option<(String, Vec<u8>)>> {
        let row = secret::Entity::find()
            .filter(secret::Column::ExpireTime.gt(at.as_microsecond()))
            // A uid begins with the time at which it was made.
            .order_by_asc(secret::Column::Uid)
            .order_by_desc(secret::Column::Number)
            .one(self.reads())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let name = resource::Entity::find().filter(resource::Column::Uid.eq(&row.uid)).one(self.reads()).await?;
        Ok(name.map(|named| (named.name, row.sealed)))
    }

    /// The live subscriptions of an organization that lead to an endpoint.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn subscriptions_to(&self, organization: &Name, endpoint: &str) -> Result<Vec<Subscription>> {
        let revision = self.head().await?;
        let found = self.at::<Subscription>("endpoint_digest", vec![digest(endpoint)], revision).await?;
        let prefix = format!("{organization}/");
        let mut own: Vec<Subscription> = found.into_values().filter(|one| one.name.starts_with(&prefix)).collect();
        own.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(own)
    }
}

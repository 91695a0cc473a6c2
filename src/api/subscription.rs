//! The part of ChangeNotificationService that is about sending: subscriptions and deliveries. `notification` is the
//! service; what takes more than one call stands here.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use jiff::{SignedDuration, Span, SpanRelativeTo};
use prost_types::FieldMask;
use tonic::Response;

use super::{Answer, Api, notification::instant, take};
use crate::{
    call::Call,
    error::{Error, Reason, Result, clip},
    notify::{channels::Channels, seal::Purpose},
    proto::v1::{
        CreateSubscriptionRequest, Delivery, ListDeliveriesRequest, ListDeliveriesResponse, ReplayDeliveriesRequest,
        ReplayDeliveriesResponse, ReportBounceRequest, RetryDeliveryRequest, RotateSubscriptionSecretRequest,
        Subscription, VerifySubscriptionRequest, subscription::Channel,
    },
    resource::{
        filter,
        name::{Kind, Name, Parent},
        page::{self, Query},
        shape::Violations,
        text,
    },
    store::{
        outbox::list::{self, List},
        standard,
    },
};

/// How long a secret signs beside the next one, if the caller does not say.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// The longest that can be.
const LONGEST_OVERLAP: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Api {
    pub(super) async fn subscribe(&self, call: Call, request: CreateSubscriptionRequest) -> Answer<Subscription> {
        Ok(Response::new(self.subscribed(call, request).await?))
    }

    /// Creates a subscription; what calls and the public page do alike.
    pub(crate) async fn subscribed(&self, call: Call, request: CreateSubscriptionRequest) -> Result<Subscription> {
        let CreateSubscriptionRequest { parent, subscription_id, mut subscription, .. } = request;
        let (mut wrong, mut leads) = (Violations::new(), Violations::new());
        let mut secret = None;
        if let Some(subscription) = &mut subscription {
            self.channels.check(subscription, &mut leads)?;
            if let Some(Channel::Webhook(webhook)) = &mut subscription.channel {
                let given = std::mem::take(&mut webhook.secret);
                secret = take(Channels::secret(&given, "subscription.webhook.secret"), &mut wrong);
            }
        }
        let creation = standard::creation(Some(&parent), &subscription_id, subscription.as_ref());
        let creation = take(creation, &mut wrong);
        // One rule for a field is enough to mend it.
        leads.retain(|(field, _)| !wrong.iter().any(|(known, _)| known == field));
        wrong.extend(leads);
        let Some(creation) = creation.filter(|_| wrong.is_empty()) else {
            return Err(Error::fields(Reason::FieldInvalid, wrong));
        };
        let name = creation.message().name.clone();
        let shown = secret.map(|secret| secret.reveal());
        let sealed = shown.as_ref().map(|secret| self.channels.sealer()?.seal(&name, secret)).transpose()?;
        let is_live = !call.validate_only;
        let (made, ran) = ran();
        let mut created = self
            .store
            .write(call, |writer| {
                Box::pin(async move {
                    made.store(true, Ordering::SeqCst);
                    writer.subscribe(creation, sealed).await
                })
            })
            .await?;
        // Shown once: an answer that is given again, by its request id, was kept without it.
        if let Some(Channel::Webhook(webhook)) = &mut created.channel
            && is_live
            && ran.load(Ordering::SeqCst)
        {
            webhook.secret = shown.unwrap_or_default();
        }
        Ok(created)
    }

    pub(super) async fn verify(&self, call: Call, request: VerifySubscriptionRequest) -> Answer<Subscription> {
        Ok(Response::new(self.verified(call, &request.name, &request.token).await?))
    }

    /// Verifies a subscription with its token, or asks for it again.
    pub(crate) async fn verified(&self, call: Call, name: &str, token: &str) -> Result<Subscription> {
        let name = Name::of(Kind::Subscription, "name", name)?;
        if token.is_empty() {
            return self.store.write(call, |writer| Box::pin(async move { writer.ask_again(&name).await })).await;
        }
        let known: Subscription = self.store.get(&name, None).await?;
        if !self.channels.is_token(Purpose::Verify, &known, token)? {
            return Err(Error::field("token", format!("is not the one that was sent to {name}")));
        }
        self.store.write(call, |writer| Box::pin(async move { writer.verify_subscription(&name).await })).await
    }

    /// Asks again whether a subscription is wanted. As long as nobody has said so, it may be for other products.
    pub(crate) async fn asked_again(
        &self,
        call: Call,
        known: &Subscription,
        products: Vec<String>,
    ) -> Result<Subscription> {
        let name = Name::of(Kind::Subscription, "name", &known.name)?;
        let wanted = Subscription {
            name: known.name.clone(),
            // Somebody may say so in this moment.
            etag: known.etag.clone(),
            products,
            ..Subscription::default()
        };
        let mask = FieldMask { paths: vec!["products".to_owned()] };
        let change = known.verify_time.is_none().then(|| standard::change(Some(wanted), Some(mask))).transpose()?;
        self.store
            .write(call, |writer| {
                Box::pin(async move {
                    if let Some(change) = change {
                        Box::pin(writer.update(change)).await?;
                    }
                    writer.ask_again(&name).await
                })
            })
            .await
    }

    /// Ends a subscription by the token of the link in its mails. One that has ended stays so.
    pub(crate) async fn unsubscribed(&self, call: Call, name: &str, token: &str) -> Result<Subscription> {
        let name = Name::of(Kind::Subscription, "name", name)?;
        let known: Subscription = self.store.get(&name, None).await?;
        if !self.channels.is_token(Purpose::Unsubscribe, &known, token)? {
            return Err(Error::field("token", format!("is not the one that was sent to {name}")));
        }
        if known.delete_time.is_some() {
            return Ok(known);
        }
        self.store.write(call, |writer| Box::pin(async move { writer.delete::<Subscription>(&name, "").await })).await
    }

    pub(super) async fn rotate(&self, call: Call, request: RotateSubscriptionSecretRequest) -> Answer<Subscription> {
        let mut wrong = Violations::new();
        let name = take(Name::of(Kind::Subscription, "name", &request.name), &mut wrong);
        let secret = take(Channels::secret(&request.secret, "secret"), &mut wrong);
        let overlap = take(overlap(&request.overlap), &mut wrong);
        let (Some(name), Some(secret), Some(overlap), true) = (name, secret, overlap, wrong.is_empty()) else {
            return Err(Error::fields(Reason::FieldInvalid, wrong).into());
        };
        let shown = secret.reveal();
        let sealed = self.channels.sealer()?.seal(name.as_str(), &shown)?;
        let is_live = !call.validate_only;
        let (made, ran) = ran();
        let mut rotated = self
            .store
            .write(call, move |writer| {
                Box::pin(async move {
                    made.store(true, Ordering::SeqCst);
                    writer.rotate_secret(&name, &request.etag, sealed, overlap).await
                })
            })
            .await?;
        if let Some(Channel::Webhook(webhook)) = &mut rotated.channel
            && is_live
            && ran.load(Ordering::SeqCst)
        {
            webhook.secret = shown;
        }
        Ok(Response::new(rotated))
    }

    pub(super) async fn list_of_deliveries(&self, request: &ListDeliveriesRequest) -> Answer<ListDeliveriesResponse> {
        let mut wrong = Violations::new();
        let size = take(page::size(request.page_size), &mut wrong);
        let parent = take(Parent::of_organizations(&request.parent), &mut wrong);
        let filter = filter::parse(&request.filter, list::FIELDS)?;
        let order = filter::order(&request.order_by, list::FIELDS)?;
        let query = Query::of("deliveries", &[&request.parent, &request.filter, &request.order_by]);
        let after = query.position(&request.page_token)?;
        let (Some(size), Some(parent), true) = (size, parent, wrong.is_empty()) else {
            return Err(Error::fields(Reason::FieldInvalid, wrong).into());
        };
        let processed_revision = self.store.told_up_to().await?;
        let revision = self.store.revision_at(None).await?;
        let list = List {
            parent: &parent,
            filter: filter.as_ref(),
            descending: order.descending,
            after: after.as_ref(),
            size,
        };
        let (deliveries, next) = self.store.deliveries(&list).await?;
        let next_page_token = next.map(|position| query.token(&position)).unwrap_or_default();
        Ok(Response::new(ListDeliveriesResponse { deliveries, next_page_token, revision, processed_revision }))
    }

    pub(super) async fn retry(&self, call: Call, request: RetryDeliveryRequest) -> Answer<Delivery> {
        list::check_name("name", &request.name)?;
        let retried = self
            .store
            .write(call, |writer| Box::pin(async move { writer.retry_delivery(&request.name).await }))
            .await?;
        Ok(Response::new(retried))
    }

    pub(super) async fn replay(
        &self,
        call: Call,
        request: ReplayDeliveriesRequest,
    ) -> Answer<ReplayDeliveriesResponse> {
        let name = Name::of(Kind::Subscription, "subscription", &request.subscription)?;
        // Looked for before the write waits for its turn; whether it matters is decided in it, for a request that was
        // answered before gets that answer.
        let replay = self.store.replayable(&name, request.from_revision, request.to_revision).await;
        let replayed = self
            .store
            .write(call, |writer| {
                Box::pin(async move {
                    let replay = replay?;
                    let to_revision = replay.to;
                    let delivery_count = writer.replay(&name, replay).await?;
                    Ok(ReplayDeliveriesResponse { delivery_count, to_revision })
                })
            })
            .await?;
        Ok(Response::new(replayed))
    }

    pub(super) async fn bounced(&self, call: Call, mut request: ReportBounceRequest) -> Answer<Delivery> {
        let mut wrong = Violations::new();
        take(list::check_name("name", &request.name), &mut wrong);
        request.diagnostic = text::normalize(&request.diagnostic).into_owned();
        if request.diagnostic.is_empty() {
            wrong.push(("diagnostic".to_owned(), "is required".to_owned()));
        } else if request.diagnostic.chars().count() > text::LONG {
            wrong.push(("diagnostic".to_owned(), format!("has more than {} characters", text::LONG)));
        } else if let Some(rule) = text::control_rule(&request.diagnostic, true) {
            wrong.push(("diagnostic".to_owned(), rule.to_owned()));
        }
        let event_time = take(instant("event_time", request.event_time.as_ref()), &mut wrong).flatten();
        if !wrong.is_empty() {
            return Err(Error::fields(Reason::FieldInvalid, wrong).into());
        }
        let ReportBounceRequest { name, diagnostic, permanent, .. } = request;
        let bounced = self
            .store
            .write(call, move |writer| {
                Box::pin(async move { Box::pin(writer.bounce(&name, &diagnostic, permanent, event_time)).await })
            })
            .await?;
        Ok(Response::new(bounced))
    }
}

/// Tells whether a write has run, or was answered from before: one end to set, one to read.
fn ran() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    let flag = Arc::new(AtomicBool::new(false));
    (Arc::clone(&flag), flag)
}

/// How long a secret signs beside the next one.
fn overlap(text: &str) -> Result<SignedDuration> {
    if text.is_empty() {
        return Ok(OVERLAP);
    }
    let read = || {
        // The parser reads more forms than the standard has.
        text.strip_prefix('P')?;
        let span: Span = text.parse().ok()?;
        span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
    };
    read().filter(|overlap| (SignedDuration::ZERO..=LONGEST_OVERLAP).contains(overlap)).ok_or_else(|| {
        Error::field("overlap", format!("must be an ISO 8601 duration of PT0S to P7D, not \"{}\"", clip(text)))
    })
}

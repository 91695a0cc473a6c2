//! `subscriptions`: who wants to be told of changes, and what can be done about it.

use clap::{Args, Subcommand};
use prost_reflect::ReflectMessage;
use prost_types::FieldMask;

use super::{
    Common, Print, Writing,
    client::{Registry, request_id},
    columns, contract,
    failure::Outcome,
    output::{Format, Out},
    resource::resource_to,
    value,
};
use crate::proto::v1::{
    CreateSubscriptionRequest, DeleteSubscriptionRequest, Delivery, EmailTarget, ListSubscriptionsRequest,
    ListSubscriptionsResponse, RotateSubscriptionSecretRequest, Subscription, TestSubscriptionRequest,
    UpdateSubscriptionRequest, VerifySubscriptionRequest, WebhookTarget, subscription::Channel,
};

/// How many are asked for at a time.
const PAGE: i32 = 200;

/// Arguments of `subscriptions`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Subscriptions {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Subscribe a webhook or an address. It is asked first whether that is wanted; a webhook's secret is printed once.
    Add(Add),
    /// Say that a subscription is wanted, with the token that was sent; without one, ask again.
    Verify(Verify),
    /// Send a test event.
    Test(One),
    /// Give a webhook another secret, which is printed once.
    Rotate(Rotate),
    /// Send nothing for the time being.
    Pause(One),
    /// Send again. What happened meanwhile: `deliveries replay`.
    Resume(One),
    /// End a subscription.
    End(One),
}

#[derive(Debug, Args)]
struct List {
    /// An organization by its name or id; `-` for all of them.
    #[arg(value_name = "ORGANIZATION", default_value = "-")]
    parent: String,
    /// Only those in this state: PENDING_VERIFICATION, ACTIVE, PAUSED or DISABLED.
    #[arg(long, value_name = "STATE", value_parser = |text: &str| value::number("Subscription.State", text))]
    state: Option<i32>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("target").args(["webhook", "email"]).required(true)))]
struct Add {
    /// The organization: its name or its id.
    organization: String,
    /// An HTTPS endpoint.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// An e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// For this customer: its name or its id.
    #[arg(long, value_name = "CUSTOMER", default_value = "", hide_default_value = true)]
    customer: String,
    /// Only these events, e.g. `notice.published`; can be given several times.
    #[arg(long, value_name = "TYPE")]
    event: Vec<String>,
    /// Only events about this product; can be given several times.
    #[arg(long, value_name = "ID")]
    product: Vec<String>,
    /// The last part of its name. Absent: the server makes one.
    #[arg(long, default_value = "", hide_default_value = true)]
    id: String,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Debug, Args)]
struct One {
    /// The subscription, `organizations/{organization}/subscriptions/{subscription}`.
    name: String,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Debug, Args)]
struct Verify {
    #[command(flatten)]
    one: One,
    /// What the other end was sent.
    #[arg(long, default_value = "", hide_default_value = true)]
    token: String,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    one: One,
    /// How long events are signed with the secret before as well, e.g. `PT1H`. Absent: 24 hours.
    #[arg(long, value_name = "DURATION", default_value = "", hide_default_value = true)]
    overlap: String,
}

impl Subscriptions {
    /// Lists, or does what is asked.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        match self.action {
            None => self.list.run(out).await,
            Some(Action::Add(add)) => add.run(out).await,
            Some(Action::Verify(Verify { one, token })) => {
                let request = VerifySubscriptionRequest {
                    name: one.name,
                    token,
                    request_id: request_id(),
                    validate_only: one.writing.dry_run,
                };
                one.writing.subscription("VerifySubscription", request, out).await
            }
            Some(Action::Test(one)) => one.test(out).await,
            Some(Action::Rotate(Rotate { one, overlap })) => {
                let request = RotateSubscriptionSecretRequest {
                    name: one.name,
                    overlap,
                    request_id: request_id(),
                    validate_only: one.writing.dry_run,
                    ..RotateSubscriptionSecretRequest::default()
                };
                one.writing.subscription("RotateSubscriptionSecret", request, out).await
            }
            Some(Action::Pause(one)) => one.pause(true, out).await,
            Some(Action::Resume(one)) => one.pause(false, out).await,
            Some(Action::End(one)) => {
                let request = DeleteSubscriptionRequest {
                    name: one.name,
                    request_id: request_id(),
                    validate_only: one.writing.dry_run,
                    ..DeleteSubscriptionRequest::default()
                };
                one.writing.subscription("DeleteSubscription", request, out).await
            }
        }
    }
}

impl List {
    async fn run(self, out: &mut Out) -> Outcome {
        let state = self.state.map(|state| format!("state = {}", value::short("Subscription.State", state)));
        let mut request = ListSubscriptionsRequest {
            parent: contract::organization(&self.parent),
            filter: state.unwrap_or_default(),
            page_size: PAGE,
            ..ListSubscriptionsRequest::default()
        };
        let registry = Registry::connect(&self.common).await?;
        let mut answer = ListSubscriptionsResponse::default();
        loop {
            let page: ListSubscriptionsResponse =
                registry.call("ChangeNotificationService/ListSubscriptions", request.clone()).await?;
            answer.subscriptions.extend(page.subscriptions);
            answer.revision = page.revision;
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let all: Vec<_> = answer.subscriptions.iter().map(value::dynamic).collect();
        let (headings, rows) = columns::table("subscriptions", &Subscription::default().descriptor(), &all);
        out.table(&headings, rows)
    }
}

impl Add {
    async fn run(self, out: &mut Out) -> Outcome {
        let parent = contract::organization(&self.organization);
        let webhook = self.webhook.map(|uri| Channel::Webhook(WebhookTarget { uri, ..WebhookTarget::default() }));
        let email = self.email.map(|address| Channel::Email(EmailTarget { address }));
        let subscription = Subscription {
            customer: contract::customer(&parent, &self.customer),
            channel: webhook.or(email),
            event_types: self.event,
            products: self.product,
            ..Subscription::default()
        };
        let request = CreateSubscriptionRequest {
            parent,
            subscription_id: self.id,
            subscription: Some(subscription),
            request_id: request_id(),
            validate_only: self.writing.dry_run,
        };
        self.writing.subscription("CreateSubscription", request, out).await
    }
}

impl One {
    async fn pause(self, paused: bool, out: &mut Out) -> Outcome {
        let request = UpdateSubscriptionRequest {
            subscription: Some(Subscription { name: self.name, paused, ..Subscription::default() }),
            update_mask: Some(FieldMask { paths: vec!["paused".to_owned()] }),
            request_id: request_id(),
            validate_only: self.writing.dry_run,
        };
        self.writing.subscription("UpdateSubscription", request, out).await
    }

    async fn test(self, out: &mut Out) -> Outcome {
        let request =
            TestSubscriptionRequest { name: self.name, request_id: request_id(), validate_only: self.writing.dry_run };
        let registry = Registry::connect(&self.writing.common).await?;
        let one: Delivery = registry.call("ChangeNotificationService/TestSubscription", request).await?;
        if self.writing.print.output != Format::Table {
            return resource_to(out, self.writing.print.output, &value::dynamic(&one));
        }
        match self.writing.dry_run {
            true => out.line(format!("{}: would be sent a test", one.subscription)),
            false => out.line(format!("{}: {}", one.name, value::short("Delivery.State", one.state))),
        }
    }
}

impl Writing {
    /// Writes, and says where the subscription stands now, with its secret if that is shown.
    async fn subscription<Q>(&self, method: &str, request: Q, out: &mut Out) -> Outcome
    where
        Q: prost::Message + Clone + 'static,
    {
        let registry = Registry::connect(&self.common).await?;
        let one: Subscription = registry.call(&format!("ChangeNotificationService/{method}"), request).await?;
        if self.print.output != Format::Table {
            return resource_to(out, self.print.output, &value::dynamic(&one));
        }
        let state = value::short("Subscription.State", one.state);
        let state = if one.delete_time.is_some() { "ended".to_owned() } else { state };
        match self.dry_run {
            true => out.line(format!("{}: would be {state}", one.name))?,
            false => out.line(format!("{}: {state}, revision {}", one.name, one.revision))?,
        }
        match &one.channel {
            Some(Channel::Webhook(webhook)) if !webhook.secret.is_empty() => {
                out.line(format!("  secret, shown this once: {}", webhook.secret))
            }
            _ => Ok(()),
        }
    }
}

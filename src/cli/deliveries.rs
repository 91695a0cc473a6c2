//! `deliveries`: what was sent, what became of it, and sending it again.

use clap::{Args, Subcommand};
use prost_reflect::ReflectMessage;

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
    Delivery, GetDeliveryRequest, ListDeliveriesRequest, ListDeliveriesResponse, ReplayDeliveriesRequest,
    ReplayDeliveriesResponse, ReportBounceRequest, RetryDeliveryRequest,
};

/// How many are asked for at a time.
const PAGE: i32 = 200;

/// Arguments of `deliveries`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Deliveries {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show one delivery with its attempts.
    Show(Show),
    /// Try one again, now.
    Retry(One),
    /// Send the events of a range of revisions to a subscription, again or for the first time.
    Replay(Replay),
    /// Record that a mail came back.
    Bounce(Bounce),
}

#[derive(Debug, Args)]
struct List {
    /// An organization by its name or id; `-` for all of them.
    #[arg(value_name = "ORGANIZATION", default_value = "-")]
    parent: String,
    /// Only those in this state: QUEUED, RETRYING, DELIVERED, BOUNCED, DEAD or DROPPED.
    #[arg(long, value_name = "STATE", value_parser = |text: &str| value::number("Delivery.State", text))]
    state: Option<i32>,
    /// Only those of this subscription, by its name.
    #[arg(long, value_name = "NAME")]
    subscription: Option<String>,
    /// Only those about this notice, by its name.
    #[arg(long, value_name = "NAME")]
    notice: Option<String>,
    /// Only those to this customer, by its name.
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    /// The newest so many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Show {
    /// The delivery, `organizations/{organization}/deliveries/{delivery}`.
    name: String,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct One {
    /// The delivery, `organizations/{organization}/deliveries/{delivery}`.
    name: String,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Debug, Args)]
struct Replay {
    /// The subscription, `organizations/{organization}/subscriptions/{subscription}`.
    subscription: String,
    /// The first revision.
    #[arg(long, value_name = "R")]
    from: i64,
    /// The last revision. Absent: the newest.
    #[arg(long, value_name = "R", default_value_t = 0, hide_default_value = true)]
    to: i64,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Debug, Args)]
struct Bounce {
    #[command(flatten)]
    one: One,
    /// What the report says, e.g. `550 5.1.1 no such user`.
    #[arg(long, value_name = "TEXT")]
    diagnostic: String,
    /// The address will never take mail: a subscription ends.
    #[arg(long)]
    permanent: bool,
    /// When it came back. Absent: now.
    #[arg(long, value_name = "TIME", value_parser = value::moment)]
    at: Option<prost_types::Timestamp>,
}

impl Deliveries {
    /// Lists, or does what is asked.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        match self.action {
            None => self.list.run(out).await,
            Some(Action::Show(show)) => show.run(out).await,
            Some(Action::Retry(one)) => {
                let request = RetryDeliveryRequest {
                    name: one.name,
                    request_id: request_id(),
                    validate_only: one.writing.dry_run,
                };
                one.writing.delivery("RetryDelivery", request, out).await
            }
            Some(Action::Replay(replay)) => replay.run(out).await,
            Some(Action::Bounce(Bounce { one, diagnostic, permanent, at })) => {
                let request = ReportBounceRequest {
                    name: one.name,
                    diagnostic,
                    permanent,
                    event_time: at,
                    request_id: request_id(),
                    validate_only: one.writing.dry_run,
                };
                one.writing.delivery("ReportBounce", request, out).await
            }
        }
    }
}

impl List {
    /// Prints the newest ones, newest first.
    async fn run(self, out: &mut Out) -> Outcome {
        let quoted =
            |field: &str, name: Option<String>| name.map(|name| format!("{field} = {}", serde_json::Value::from(name)));
        let state = self.state.map(|state| format!("state = {}", value::short("Delivery.State", state)));
        let asked = [
            state,
            quoted("subscription", self.subscription),
            quoted("notice", self.notice),
            quoted("customer", self.customer),
        ];
        let mut request = ListDeliveriesRequest {
            parent: contract::organization(&self.parent),
            filter: asked.into_iter().flatten().collect::<Vec<_>>().join(" AND "),
            order_by: "name desc".to_owned(),
            page_size: PAGE,
            ..ListDeliveriesRequest::default()
        };
        let registry = Registry::connect(&self.common).await?;
        let mut answer = ListDeliveriesResponse::default();
        while answer.deliveries.len() < self.limit {
            let page: ListDeliveriesResponse =
                registry.call("ChangeNotificationService/ListDeliveries", request.clone()).await?;
            answer.deliveries.extend(page.deliveries);
            (answer.revision, answer.processed_revision) = (page.revision, page.processed_revision);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        answer.deliveries.truncate(self.limit);
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let all: Vec<_> = answer.deliveries.iter().map(value::dynamic).collect();
        let (headings, rows) = columns::table("deliveries", &Delivery::default().descriptor(), &all);
        out.table(&headings, rows)
    }
}

impl Show {
    async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let request = GetDeliveryRequest { name: self.name };
        let one: Delivery = registry.call("ChangeNotificationService/GetDelivery", request).await?;
        resource_to(out, self.print.output, &value::dynamic(&one))
    }
}

impl Replay {
    async fn run(self, out: &mut Out) -> Outcome {
        let request = ReplayDeliveriesRequest {
            subscription: self.subscription,
            from_revision: self.from,
            to_revision: self.to,
            request_id: request_id(),
            validate_only: self.writing.dry_run,
        };
        let registry = Registry::connect(&self.writing.common).await?;
        let answer: ReplayDeliveriesResponse =
            registry.call("ChangeNotificationService/ReplayDeliveries", request).await?;
        if self.writing.print.output != Format::Table {
            return out.message(self.writing.print.output, &value::dynamic(&answer));
        }
        let done = if self.writing.dry_run { "would be queued" } else { "queued" };
        let many = value::count(i64::from(answer.delivery_count), "event");
        out.line(format!("{many} {done}, up to revision {}", answer.to_revision))
    }
}

impl Writing {
    /// Writes, and says where the delivery stands now.
    async fn delivery<Q>(&self, method: &str, request: Q, out: &mut Out) -> Outcome
    where
        Q: prost::Message + Clone + 'static,
    {
        let registry = Registry::connect(&self.common).await?;
        let one: Delivery = registry.call(&format!("ChangeNotificationService/{method}"), request).await?;
        if self.print.output != Format::Table {
            return resource_to(out, self.print.output, &value::dynamic(&one));
        }
        let state = value::short("Delivery.State", one.state);
        match self.dry_run {
            true => out.line(format!("{}: would be {state}", one.name)),
            false => out.line(format!("{}: {state}", one.name)),
        }
    }
}

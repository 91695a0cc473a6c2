//! `objections`: what customers object to, and `objections lodge` and `objections resolve`.

use clap::{Args, Subcommand};
use prost_reflect::ReflectMessage;

use super::{
    Common, Print, Writing,
    client::{Registry, request_id},
    columns, contract,
    failure::Outcome,
    output::{Format, Out},
    resource::{AsOf, resource_to},
    value,
};
use crate::proto::v1::{
    CreateObjectionRequest, ListObjectionsRequest, ListObjectionsResponse, Objection, ResolveObjectionRequest,
};

/// How many are asked for at a time.
const PAGE: i32 = 200;

/// Arguments of `objections`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Objections {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Record an objection of a customer.
    Lodge(Lodge),
    /// Close an objection with an outcome.
    Resolve(Resolve),
}

#[derive(Debug, Args)]
struct List {
    /// A notice by its name, or an organization by its name or id; `-` for all of them.
    #[arg(value_name = "NOTICE|ORGANIZATION", default_value = "-")]
    parent: String,
    /// Only those that are not resolved.
    #[arg(long)]
    open: bool,
    /// Only those of this customer: its name or its id.
    #[arg(long, value_name = "CUSTOMER", default_value = "", hide_default_value = true)]
    customer: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Lodge {
    /// The notice, `organizations/{organization}/notices/{notice}`.
    notice: String,
    /// The customer: its name or its id.
    customer: String,
    /// Why, in the customer's words.
    #[arg(long, value_name = "TEXT")]
    grounds: String,
    /// Only against this change; can be given several times. Absent: all that concern the customer.
    #[arg(long, value_name = "ID")]
    change: Vec<String>,
    /// When it was lodged, such as the date of a letter. Absent: now.
    #[arg(long, value_name = "TIME", value_parser = value::moment)]
    at: Option<prost_types::Timestamp>,
    /// The last part of its name. Absent: the server makes one.
    #[arg(long, default_value = "", hide_default_value = true)]
    id: String,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Debug, Args)]
struct Resolve {
    /// The objection, `organizations/{organization}/notices/{notice}/objections/{objection}`.
    name: String,
    /// How it ended: CHANGE_WITHDRAWN, ALTERNATIVE_ACCEPTED, OBJECTION_WITHDRAWN, CUSTOMER_TERMINATED or NO_GROUNDS.
    #[arg(long, value_name = "OUTCOME", value_parser = |text: &str| value::number("Objection.Outcome", text))]
    outcome: i32,
    /// What was found or agreed.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    resolution: String,
    /// Fail if it changed since this etag was read.
    #[arg(long, default_value = "", hide_default_value = true)]
    etag: String,
    #[command(flatten)]
    writing: Writing,
}

impl Objections {
    /// Lists, lodges, or resolves.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        match self.action {
            Some(Action::Lodge(lodge)) => lodge.run(out).await,
            Some(Action::Resolve(resolve)) => resolve.run(out).await,
            None => self.list.run(out).await,
        }
    }
}

impl List {
    /// Prints the objections of all pages.
    async fn run(self, out: &mut Out) -> Outcome {
        let is_notice = self.parent.contains("/notices/");
        let organization = contract::organization(&self.parent);
        let customer = match is_notice {
            true => contract::customer(&contract::organization_of(&self.parent), &self.customer),
            false => contract::customer(&organization, &self.customer),
        };
        let open = self.open.then(|| "state = OPEN".to_owned());
        let of = (!customer.is_empty()).then(|| format!("customer = {}", serde_json::Value::from(customer)));
        let mut request = ListObjectionsRequest {
            parent: if is_notice { self.parent } else { format!("{organization}/notices/-") },
            filter: open.into_iter().chain(of).collect::<Vec<_>>().join(" AND "),
            page_size: PAGE,
            as_of: self.as_of.map(|as_of| as_of.message()),
            ..ListObjectionsRequest::default()
        };
        let registry = Registry::connect(&self.common).await?;
        let mut answer = ListObjectionsResponse::default();
        loop {
            let page: ListObjectionsResponse =
                registry.call("ChangeNotificationService/ListObjections", request.clone()).await?;
            answer.objections.extend(page.objections);
            answer.revision = page.revision;
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let all: Vec<_> = answer.objections.iter().map(value::dynamic).collect();
        let (headings, rows) = columns::table("objections", &Objection::default().descriptor(), &all);
        out.table(&headings, rows)
    }
}

impl Writing {
    /// Writes, and says where the objection stands now.
    async fn write<Q>(&self, method: &str, request: Q, out: &mut Out) -> Outcome
    where
        Q: prost::Message + Clone + 'static,
    {
        let registry = Registry::connect(&self.common).await?;
        let one: Objection = registry.call(&format!("ChangeNotificationService/{method}"), request).await?;
        if self.print.output != Format::Table {
            return resource_to(out, self.print.output, &value::dynamic(&one));
        }
        let outcome = value::short("Objection.Outcome", one.outcome);
        let state = value::short("Objection.State", one.state);
        let state = if one.outcome == 0 { state } else { format!("{state}, {outcome}") };
        match self.dry_run {
            true => out.line(format!("{}: would be {state}", one.name))?,
            false => out.line(format!("{}: {state}, revision {}", one.name, one.revision))?,
        }
        let ids = one.change_ids.join(", ");
        let end = value::time(one.termination_right_end_time.as_ref());
        match (one.outcome, one.late) {
            (0, true) => out.line(format!("  against {ids}; late, so that it does not block all of them")),
            (0, false) if !end.is_empty() => out.line(format!("  against {ids}; blocks until {end}")),
            (0, false) => out.line(format!("  against {ids}; blocks until it is resolved")),
            _ => Ok(()),
        }
    }
}

impl Lodge {
    async fn run(self, out: &mut Out) -> Outcome {
        let objection = Objection {
            customer: contract::customer(&contract::organization_of(&self.notice), &self.customer),
            change_ids: self.change,
            grounds: self.grounds,
            lodge_time: self.at,
            ..Objection::default()
        };
        let request = CreateObjectionRequest {
            parent: self.notice,
            objection_id: self.id,
            objection: Some(objection),
            request_id: request_id(),
            validate_only: self.writing.dry_run,
        };
        self.writing.write("CreateObjection", request, out).await
    }
}

impl Resolve {
    async fn run(self, out: &mut Out) -> Outcome {
        let request = ResolveObjectionRequest {
            name: self.name,
            etag: self.etag,
            outcome: self.outcome,
            resolution: self.resolution,
            request_id: request_id(),
            validate_only: self.writing.dry_run,
        };
        self.writing.write("ResolveObjection", request, out).await
    }
}

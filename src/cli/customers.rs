//! `customers`: what was agreed with whom, and `customers show`: one, with the list as it applies to it.

use clap::{Args, Subcommand};
use prost_reflect::ReflectMessage;
use serde_json::{Value as Json, json};

use super::{
    Common, Print,
    client::Registry,
    columns, contract,
    failure::Outcome,
    output::{Format, Out},
    resource::AsOf,
    value,
};
use crate::{
    proto::v1::{
        self, Agreement, Customer, GetCustomerRequest, ListCustomersRequest, ListCustomersResponse,
        ListSubprocessorsRequest, ListSubprocessorsResponse, Subprocessor,
        agreement::{DayKind, UnresolvedObjection},
        as_of::Point,
    },
    resource::json::to_json,
};

/// How many are asked for at a time.
const PAGE: i32 = 200;

/// Arguments of `customers`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Customers {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show one customer, and the list as it applies to it: without what is held back from it.
    Show(Show),
}

#[derive(Debug, Args)]
struct List {
    /// An organization, by its name or id; `-` for all of them.
    #[arg(default_value = "-")]
    organization: String,
    /// Only what matches, e.g. `region_code = "DE"`.
    #[arg(long, value_name = "FILTER", default_value = "", hide_default_value = true)]
    filter: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Show {
    /// The customer, `organizations/{organization}/customers/{customer}`.
    name: String,
    /// The list of this day. Absent: everything that is known, whatever its state and dates.
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    date: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Customers {
    /// Lists, or shows one.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        match self.action {
            Some(Action::Show(show)) => show.run(out).await,
            None => self.list.run(out).await,
        }
    }
}

impl List {
    /// Prints the customers of all pages, each with what was agreed.
    async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let mut answer = ListCustomersResponse::default();
        let mut request = ListCustomersRequest {
            parent: contract::organization(&self.organization),
            filter: self.filter,
            page_size: PAGE,
            as_of: self.as_of.map(|as_of| as_of.message()),
            ..ListCustomersRequest::default()
        };
        loop {
            let page: ListCustomersResponse =
                registry.call("OrganizationService/ListCustomers", request.clone()).await?;
            answer.customers.extend(page.customers);
            answer.revision = page.revision;
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let headings = ["NAME", "DISPLAY NAME", "PRODUCTS", "AUTHORIZATION", "NOTICE", "OBJECTION", "CLOCK", "TOLD BY"];
        let headings = headings.into_iter().chain(["UNRESOLVED OBJECTION", "EMERGENCY", "END"]).map(ToOwned::to_owned);
        out.table(&headings.collect::<Vec<_>>(), answer.customers.iter().map(row).collect())
    }
}

/// A customer with its agreement, in which what the contract is silent on is empty.
fn row(customer: &Customer) -> Vec<String> {
    let products = if customer.products.is_empty() { "all".to_owned() } else { customer.products.join(", ") };
    let head = [customer.name.clone(), customer.display_name.clone(), products];
    let terms = match &customer.agreement {
        Some(agreement) => terms(agreement),
        None => [
            "nothing agreed".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ],
    };
    head.into_iter().chain(terms).chain([customer.end_date.clone()]).collect()
}

/// What was agreed, as people say it.
fn terms(agreement: &Agreement) -> [String; 7] {
    let word = |kind: &str, number: i32| match number {
        0 => String::new(),
        number => value::short(kind, number),
    };
    let business = if agreement.day_kind() == DayKind::Business { "business day" } else { "day" };
    let days = |days: Option<i32>| days.map(|days| value::count(days.into(), business)).unwrap_or_default();
    let objection = match (agreement.objection_days, agreement.notice_days) {
        (Some(0), _) => "no right".to_owned(),
        (Some(some), _) => days(Some(some)),
        (None, Some(_)) => "as notice".to_owned(),
        (None, None) => String::new(),
    };
    let clock = [word("Agreement.ClockStart", agreement.clock_start), agreement.time_zone.clone()];
    let unresolved = match (agreement.unresolved_objection(), agreement.resolution_days) {
        (UnresolvedObjection::TerminationRight, Some(after)) => {
            format!("TERMINATION_RIGHT after {}", days(Some(after)))
        }
        _ => word("Agreement.UnresolvedObjection", agreement.unresolved_objection),
    };
    [
        word("Agreement.Authorization", agreement.authorization),
        days(agreement.notice_days),
        objection,
        clock.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
        word("Agreement.NoticeMethod", agreement.notice_method),
        unresolved,
        if agreement.emergency_allowed { "allowed" } else { "" }.to_owned(),
    ]
}

impl Show {
    /// Prints the customer and its list, both of one revision.
    async fn run(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let mut request = ListSubprocessorsRequest {
            parent: contract::organization_of(&self.name),
            customer: self.name.clone(),
            effective_at: self.date,
            page_size: PAGE,
            as_of: self.as_of.map(|as_of| as_of.message()),
            ..ListSubprocessorsRequest::default()
        };
        let mut list: Vec<Subprocessor> = Vec::new();
        let revision = loop {
            let page: ListSubprocessorsResponse =
                registry.call("SubprocessorService/ListSubprocessors", request.clone()).await?;
            list.extend(page.subprocessors);
            if page.next_page_token.is_empty() {
                break page.revision;
            }
            request.page_token = page.next_page_token;
        };
        let as_of = Some(v1::AsOf { point: Some(Point::Revision(revision)) });
        let request = GetCustomerRequest { name: self.name, as_of };
        let customer: Customer = registry.call("OrganizationService/GetCustomer", request).await?;
        let all: Vec<_> = list.iter().map(value::dynamic).collect();
        if self.print.output != Format::Table {
            let list: Vec<Json> = all.iter().map(to_json).collect();
            let customer = to_json(&value::dynamic(&customer));
            let all = json!({"customer": customer, "subprocessors": list, "revision": revision});
            return out.value(self.print.output, &all);
        }
        let rows = value::flatten(&value::dynamic(&customer)).into_iter().map(|(path, value)| vec![path, value]);
        out.table(&["FIELD", "VALUE"].map(ToOwned::to_owned), rows.collect())?;
        out.line("")?;
        let (headings, rows) = columns::table("subprocessors", &Subprocessor::default().descriptor(), &all);
        out.table(&headings, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::agreement::{Authorization, ClockStart, NoticeMethod};

    #[test]
    fn terms_are_said_as_people_say_them() {
        let agreement = Agreement {
            authorization: Authorization::General.into(),
            notice_days: Some(30),
            objection_days: Some(1),
            day_kind: DayKind::Business.into(),
            time_zone: "Europe/Berlin".into(),
            clock_start: ClockStart::Delivered.into(),
            notice_method: NoticeMethod::Manual.into(),
            unresolved_objection: UnresolvedObjection::TerminationRight.into(),
            resolution_days: Some(20),
            emergency_allowed: true,
            ..Default::default()
        };
        let said = terms(&agreement);
        assert_eq!(
            said.each_ref().map(String::as_str),
            [
                "GENERAL",
                "30 business days",
                "1 business day",
                "DELIVERED, Europe/Berlin",
                "MANUAL",
                "TERMINATION_RIGHT after 20 business days",
                "allowed"
            ]
        );
        assert_eq!(terms(&Agreement { objection_days: Some(0), ..agreement.clone() })[2], "no right");
        assert_eq!(terms(&Agreement { objection_days: None, ..agreement })[2], "as notice");
        assert_eq!(terms(&Agreement::default()), [const { String::new() }; 7]);
        assert_eq!(row(&Customer::default())[2..4], ["all", "nothing agreed"]);
    }
}

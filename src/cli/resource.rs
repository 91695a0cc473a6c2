//! `get` and `list`: any resource of any collection.

use std::str::FromStr;

use clap::Args;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

use super::{
    Common, Print,
    client::Registry,
    columns, contract,
    failure::{Failure, Outcome},
    output::{Format, Out},
    value,
};
use crate::{
    proto::v1::{self, as_of::Point},
    resource::{behavior, text},
};

/// Resources asked for at a time: a page of this many is well below what clients accept in one message.
const PAGE_SIZE: i32 = 200;

/// Arguments of `get`.
#[derive(Debug, Args)]
pub(super) struct Get {
    /// The name, e.g. `vendors/aws` or `organizations/acme/subprocessors/aws`.
    name: String,
    /// Of a subprocessor: as it applies to this customer, by its name or id.
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct List {
    /// The collection, e.g. `vendors`, `instruments`, `organizations`, `organizations/acme/subprocessors`,
    /// `organizations/-/documents` (of all organizations), `revisions`.
    collection: String,
    /// Only what matches, e.g. `state = "ACTIVE" AND display_name = "A*"`.
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,
    /// Order, e.g. `display_name` or `create_time desc`.
    #[arg(long, value_name = "FIELDS")]
    order_by: Option<String>,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    /// Only what was in effect on this day, by the resources' own dates.
    #[arg(long, value_name = "DATE", value_parser = value::day)]
    effective_at: Option<String>,
    /// Of subprocessors: the list as it applies to this customer, by its name or id.
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<String>,
    /// Deleted ones too.
    #[arg(long)]
    show_deleted: bool,
    /// How many to ask for at a time; all pages are read.
    #[arg(long, value_name = "N", default_value_t = PAGE_SIZE, value_parser = clap::value_parser!(i32).range(1..=1000))]
    page_size: i32,
    /// Stop after this many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Get {
    /// Gets and prints the resource.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let Some(method) = contract::of_name(&self.name).and_then(|collection| collection.get) else {
            return Err(Failure::Usage(contract::no_name(&self.name)));
        };
        let mut request = DynamicMessage::new(method.input());
        if let Some(customer) = &self.customer {
            let customer = contract::customer(&contract::organization_of(&self.name), customer);
            set(&mut request, "customer", "--customer", Value::String(customer))?;
        }
        set(&mut request, "name", "NAME", Value::String(self.name))?;
        if let Some(as_of) = &self.as_of {
            set(&mut request, "as_of", "--as-of", as_of.value())?;
        }
        let resource = Registry::connect(&self.common).await?.call_dynamic(&method, request).await?;
        resource_to(out, self.print.output, &resource)
    }
}

/// Prints one resource.
pub(super) fn resource_to(out: &mut Out, format: Format, resource: &DynamicMessage) -> Outcome {
    match format {
        Format::Table => {
            let rows = value::flatten(resource).into_iter().map(|(path, value)| vec![path, value]).collect();
            out.table(&["FIELD".to_owned(), "VALUE".to_owned()], rows)
        }
        Format::Json | Format::Yaml => out.message(format, resource),
    }
}

impl List {
    /// Lists and prints the resources of all pages.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        let (parent, name) = match self.collection.rsplit_once('/') {
            Some((parent, name)) => (Some(parent), name),
            None => (None, self.collection.as_str()),
        };
        let Some(collection) = contract::collection(name) else {
            return Err(Failure::Usage(contract::no_collection(&self.collection)));
        };
        let request = self.request(&collection.list.input(), parent)?;
        let registry = Registry::connect(&self.common).await?;
        let limit = self.limit.unwrap_or(usize::MAX);

        let mut resources = Vec::new();
        let mut page = request;
        let mut answer;
        loop {
            answer = registry.call_dynamic(&collection.list, page.clone()).await?;
            if let Value::List(items) = answer.get_field(&collection.items).into_owned() {
                resources.extend(items.into_iter().filter_map(|item| match item {
                    Value::Message(message) => Some(message),
                    _ => None,
                }));
            }
            let next = answer.get_field_by_name("next_page_token").map(std::borrow::Cow::into_owned);
            match next {
                Some(Value::String(token)) if !token.is_empty() && resources.len() < limit => {
                    set(&mut page, "page_token", "page_token", Value::String(token))?;
                }
                _ => break,
            }
        }
        resources.truncate(limit);

        if self.print.output == Format::Table {
            let Kind::Message(resource) = collection.items.kind() else { return Ok(()) };
            let (headings, rows) = columns::table(name, &resource, &resources);
            return out.table(&headings, rows);
        }
        // The last page's answer with the resources of all pages: what one large page would have been.
        answer.set_field(&collection.items, Value::List(resources.into_iter().map(Value::Message).collect()));
        answer.clear_field_by_name("next_page_token");
        out.message(self.print.output, &answer)
    }

    fn request(&self, input: &MessageDescriptor, parent: Option<&str>) -> Outcome<DynamicMessage> {
        let mut request = DynamicMessage::new(input.clone());
        match (parent, input.get_field_by_name("parent")) {
            (Some(parent), Some(_)) => {
                set(&mut request, "parent", &self.collection, Value::String(parent.to_owned()))?;
            }
            (Some(parent), None) => {
                let (_, name) = self.collection.rsplit_once('/').unwrap_or_default();
                return Err(Failure::Usage(format!("{name} are not kept under {parent}: list {name}")));
            }
            // Everywhere, where the contract wants it said.
            (None, Some(field)) if behavior::of(&field).required => {
                let parents = contract::everywhere(&self.collection);
                let [parent] = parents.as_slice() else {
                    return Err(Failure::Usage(contract::which_parent(&self.collection)));
                };
                set(&mut request, "parent", &self.collection, Value::String(parent.clone()))?;
            }
            (None, _) => {}
        }
        set(&mut request, "page_size", "--page-size", Value::I32(self.page_size))?;
        let texts = [
            ("filter", "--filter", &self.filter),
            ("order_by", "--order-by", &self.order_by),
            ("effective_at", "--effective-at", &self.effective_at),
        ];
        for (field, flag, text) in texts {
            if let Some(text) = text {
                set(&mut request, field, flag, Value::String(text.clone()))?;
            }
        }
        if let Some(customer) = &self.customer {
            let customer = contract::customer(parent.unwrap_or("organizations/-"), customer);
            set(&mut request, "customer", "--customer", Value::String(customer))?;
        }
        if self.show_deleted {
            set(&mut request, "show_deleted", "--show-deleted", Value::Bool(true))?;
        }
        if let Some(as_of) = &self.as_of {
            set(&mut request, "as_of", "--as-of", as_of.value())?;
        }
        Ok(request)
    }
}

/// Sets a field of a request, if that has it.
fn set(request: &mut DynamicMessage, field: &str, flag: &str, value: Value) -> Outcome {
    match request.try_set_field_by_name(field, value) {
        Ok(()) => Ok(()),
        Err(_) => Err(Failure::Usage(format!("{flag} is not offered here"))),
    }
}

/// A point in known time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AsOf(Point);

impl AsOf {
    /// The message.
    pub(super) fn message(&self) -> v1::AsOf {
        v1::AsOf { point: Some(self.0) }
    }

    /// A filter of revisions that compares with it, e.g. those up to it with `<=`.
    pub(super) fn bound(&self, operator: &str) -> String {
        match &self.0 {
            Point::Revision(number) => format!("number {operator} {number}"),
            Point::Time(time) => format!("commit_time {operator} \"{}\"", value::time(Some(time))),
        }
    }

    fn value(&self) -> Value {
        Value::Message(value::dynamic(&self.message()))
    }
}

impl FromStr for AsOf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text::point(text).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_known_time_is_a_revision_or_a_time() {
        let time = |seconds| Ok(AsOf(Point::Time(prost_types::Timestamp { seconds, nanos: 0 })));
        assert_eq!("42".parse(), Ok(AsOf(Point::Revision(42))));
        assert_eq!("2026-03-23T10:00:00Z".parse(), time(1_774_260_000));
        assert_eq!("2026-03-23T11:00:00+01:00".parse(), time(1_774_260_000));
        assert_eq!("2026-03-23".parse(), time(1_774_224_000));
        for wrong in ["", "yesterday", "2026-13-01", "2026-03-23T10:00:00", "1.5"] {
            assert!(wrong.parse::<AsOf>().is_err(), "{wrong}");
        }
    }
}

//! `trace`: who engages a subprocessor and whom it engages; and who reaches a vendor.

use clap::Args;

use super::{
    Common, Print,
    client::Registry,
    contract,
    failure::{Failure, Outcome},
    output::{Format, Out},
    resource::AsOf,
    value,
};
use crate::{
    proto::v1::{
        OrganizationReach, Reach, Subprocessor, TraceSubprocessorRequest, TraceSubprocessorResponse,
        TraceVendorRequest, TraceVendorResponse,
    },
    resource::name::{Kind, Name},
};

/// Arguments of `trace`.
#[derive(Debug, Args)]
pub(super) struct Trace {
    /// A subprocessor, `organizations/{organization}/subprocessors/{subprocessor}`, or a vendor, `vendors/{vendor}`.
    name: String,
    /// As the registry had it then: a revision, or a time such as 2026-03-23T10:00:00Z or 2026-03-23 (00:00 UTC).
    #[arg(long, value_name = "R|TIME")]
    as_of: Option<AsOf>,
    /// For a vendor: only engagements that are on the list on this day.
    #[arg(long, value_name = "DATE", value_parser = value::day, default_value = "", hide_default_value = true)]
    effective_at: String,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    common: Common,
}

impl Trace {
    /// Prints the chain, from the organization down; or every way to the vendor.
    pub(super) async fn run(self, out: &mut Out) -> Outcome {
        match Name::parse(&self.name).map(|name| name.kind()) {
            Some(Kind::Vendor) => self.vendor(out).await,
            Some(Kind::Subprocessor) if self.effective_at.is_empty() => self.subprocessor(out).await,
            Some(Kind::Subprocessor) => Err(Failure::Usage("--effective-at is for vendors".to_owned())),
            Some(_) => Err(Failure::Usage(format!("{} is neither a subprocessor nor a vendor", self.name))),
            None => Err(Failure::Usage(contract::no_name(&self.name))),
        }
    }

    async fn subprocessor(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let request = TraceSubprocessorRequest { name: self.name, as_of: self.as_of.map(|as_of| as_of.message()) };
        let answer: TraceSubprocessorResponse = registry.call("SubprocessorService/TraceSubprocessor", request).await?;
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        let headings = ["CHAIN", "DISPLAY NAME", "STATE"].map(ToOwned::to_owned);
        out.table(&headings, chain(&answer))
    }

    async fn vendor(self, out: &mut Out) -> Outcome {
        let registry = Registry::connect(&self.common).await?;
        let as_of = self.as_of.map(|as_of| as_of.message());
        let request = TraceVendorRequest { name: self.name.clone(), as_of, effective_at: self.effective_at };
        let answer: TraceVendorResponse = registry.call("VendorService/TraceVendor", request).await?;
        if self.print.output != Format::Table {
            return out.message(self.print.output, &value::dynamic(&answer));
        }
        if answer.organizations.is_empty() {
            return out.line(format!("nobody reaches {}", self.name));
        }
        let headings = ["ORGANIZATION", "THROUGH", "VENDOR", "RELATION", "STATE", "PRODUCTS"].map(ToOwned::to_owned);
        out.table(&headings, answer.organizations.iter().flat_map(ways).collect())?;
        for organization in &answer.organizations {
            let customers = organization.customers.iter().map(|name| id(name)).collect::<Vec<_>>().join(", ");
            let count = value::count(organization.customers.len().try_into().unwrap_or(i64::MAX), "customer");
            let colon = if customers.is_empty() { "" } else { ": " };
            out.line(format!("{}: {count} concerned{colon}{customers}", organization.organization))?;
        }
        Ok(())
    }
}

/// The last part of a name.
fn id(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// The ways in which an organization reaches a vendor; its name stands in the first row.
fn ways(organization: &OrganizationReach) -> Vec<Vec<String>> {
    let row = |(i, reach): (usize, &Reach)| {
        let relation = value::short("Reach.Relation", reach.relation);
        let products = if reach.products.is_empty() { "all".to_owned() } else { reach.products.join(", ") };
        vec![
            if i == 0 { organization.organization.clone() } else { String::new() },
            reach.chain.iter().map(|name| id(name)).collect::<Vec<_>>().join(" > "),
            id(&reach.vendor).to_owned(),
            if reach.alternative { format!("{relation}, alternative") } else { relation },
            value::short("Subprocessor.State", reach.state),
            products,
        ]
    };
    organization.reaches.iter().enumerate().map(row).collect()
}

/// The chain as rows, indented by how far from the organization each is; the one asked for has a mark.
fn chain(answer: &TraceSubprocessorResponse) -> Vec<Vec<String>> {
    let above = answer.upstream.iter().rev().enumerate().map(|(depth, subprocessor)| (depth, "", subprocessor));
    let here = answer.upstream.len();
    let subject = answer.subprocessor.iter().map(|subprocessor| (here, "* ", subprocessor));
    let below = below(answer).into_iter().map(|(depth, subprocessor)| (here + depth, "", subprocessor));
    let row = |(depth, mark, subprocessor): (usize, &str, &Subprocessor)| {
        let state = value::short("Subprocessor.State", subprocessor.state);
        let name = format!("{}{mark}{}", "  ".repeat(depth), subprocessor.name);
        vec![name, subprocessor.display_name.clone(), state]
    };
    above.chain(subject).chain(below).map(row).collect()
}

/// What is below as a tree: each after the one that engages it.
fn below(answer: &TraceSubprocessorResponse) -> Vec<(usize, &Subprocessor)> {
    let links: Vec<(usize, &Subprocessor)> = answer
        .downstream
        .iter()
        .filter_map(|link| Some((usize::try_from(link.depth).unwrap_or(1), link.subprocessor.as_ref()?)))
        .collect();
    let root = answer.subprocessor.as_ref().map_or("", |subprocessor| subprocessor.name.as_str());
    let mut rows = Vec::new();
    let mut open = vec![(1, root)];
    let mut listed = std::collections::BTreeSet::new();
    // The children of the last one opened come next; a name is listed once, whatever the server says.
    while let Some((depth, parent)) = open.pop() {
        let children: Vec<_> = links.iter().filter(|(at, child)| *at == depth && child.engaged_by == parent).collect();
        if let Some((_, child)) = children.into_iter().find(|(_, child)| !listed.contains(&child.name)) {
            listed.insert(child.name.clone());
            rows.push((depth, *child));
            open.push((depth, parent));
            open.push((depth + 1, child.name.as_str()));
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::Link;

    #[test]
    fn a_chain_is_shown_from_the_organization_down_as_a_tree() {
        let one = |name: &str, by: &str| Subprocessor {
            name: name.to_owned(),
            engaged_by: by.to_owned(),
            ..Default::default()
        };
        let link = |depth, name: &str, by: &str| Link { subprocessor: Some(one(name, by)), depth };
        let answer = TraceSubprocessorResponse {
            subprocessor: Some(one("c", "b")),
            upstream: vec![one("b", "a"), one("a", "")],
            downstream: vec![link(1, "d", "c"), link(1, "e", "c"), link(2, "f", "d"), link(2, "g", "e")],
            revision: 1,
        };
        let names: Vec<String> = chain(&answer).iter().filter_map(|row| row.first().cloned()).collect();
        assert_eq!(names, ["a", "  b", "    * c", "      d", "        f", "      e", "        g"]);
    }
}

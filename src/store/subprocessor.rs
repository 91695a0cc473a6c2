//! Subprocessors.

pub mod lifecycle;

use futures::{FutureExt, future::BoxFuture};

use super::{
    customer_view::HELD_NOTICES,
    document::document_rule,
    notice::gate::Passes,
    organization::{LOCATION_PRODUCTS, check_products, product_paths},
    read::{existing_query, fetch_stored},
    resource,
    standard::{Change, Managed, collect, path},
    version::{Reference, Resource, Stored, column, day, stored_date, version_methods, version_table},
    writer::Writer,
};
use sea_orm::sea_query::{Expr, ExprTrait};

use crate::{
    error::{Error, Reason, Result, clip},
    proto::v1::{Organization, Subprocessor, Vendor, subprocessor::State},
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
        shape::Violations,
    },
    rules::{
        chain::{self, Links},
        engagement::{self, Step, Unmet},
    },
};

version_table!(Subprocessor, table "subprocessor", entity versions, {
    display_name: String = |m| m.display_name.clone(),
    vendor: String = |m| m.vendor.clone(),
    section: String = |m| m.section.clone(),
    engaged_by: String = |m| m.engaged_by.clone(),
    start_date: String = |m| stored_date(&m.start_date),
    start_date_desc: String = |m| m.start_date.clone(),
    end_date: String = |m| stored_date(&m.end_date),
    end_date_desc: String = |m| m.end_date.clone(),
    next_review_date: String = |m| stored_date(&m.next_review_date),
    role: i32 = |m| m.role,
    state: i32 = |m| m.state,
    listed: bool = |m| m.listed,
});

impl Resource for Subprocessor {
    const KIND: Kind = Kind::Subprocessor;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("display_name", FieldKind::Text).ordered(),
        Field::new("start_date", FieldKind::Date).ordered(),
        Field::new("end_date", FieldKind::Date).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("vendor", FieldKind::Text),
        Field::new("section", FieldKind::Text),
        Field::new("engaged_by", FieldKind::Text),
        Field::new("next_review_date", FieldKind::Date),
        Field::new("role", FieldKind::Choice("subprocessor.registry.v1.Role")),
        Field::new("state", FieldKind::Choice("subprocessor.registry.v1.Subprocessor.State")),
        Field::new("listed", FieldKind::Flag),
        Field::new("products", FieldKind::Texts),
        Field::new("purposes", FieldKind::Texts),
        Field::new("data_categories", FieldKind::Texts),
        Field::new("vendor_services", FieldKind::Texts),
        Field::new("alternative_vendors", FieldKind::Texts),
        Field::new("region_codes", FieldKind::Texts),
        Field::new("areas", FieldKind::Texts),
        Field::new("held_back", FieldKind::Texts),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        let plain = [
            ("products", &self.products),
            ("purposes", &self.purposes),
            ("data_categories", &self.data_categories),
            ("vendor_services", &self.vendor_services),
            ("alternative_vendors", &self.alternative_vendors),
        ];
        let plain = plain.into_iter().flat_map(|(field, values)| values.iter().map(move |v| (field, v.clone())));
        let locations = self
            .locations
            .iter()
            .flat_map(|location| [("region_codes", location.region_code.clone()), ("areas", location.area.clone())]);
        let products = self.locations.iter().flat_map(|location| &location.products);
        plain
            .chain(locations.filter(|(_, value)| !value.is_empty()))
            .chain(products.map(|id| (LOCATION_PRODUCTS, id.clone())))
            .chain(self.held_back.iter().map(|name| ("held_back", name.clone())))
            .chain(self.held_changes.iter().map(|layer| (HELD_NOTICES, layer.notice.clone())))
            .collect()
    }

    fn references(&self) -> Vec<Reference> {
        let document = self.dpa.as_ref().map(|dpa| dpa.document.as_str()).unwrap_or_default();
        let single = [
            (Kind::Vendor, "vendor", self.vendor.as_str()),
            (Kind::Subprocessor, "engaged_by", self.engaged_by.as_str()),
            (Kind::Document, "dpa.document", if document.starts_with("organizations/") { document } else { "" }),
        ];
        let single = single.into_iter().filter(|(_, _, name)| !name.is_empty());
        let alternatives = self.alternative_vendors.iter().enumerate();
        single
            .map(|(kind, field, name)| Reference::to(kind, field, name))
            .chain(alternatives.map(|(i, v)| Reference::to(Kind::Vendor, format!("alternative_vendors[{i}]"), v)))
            .collect()
    }
}

impl Managed for Subprocessor {
    fn check(&self, prefix: &str, out: &mut Violations) {
        if let Some(rule) = self.dpa.as_ref().and_then(|dpa| document_rule(&dpa.document)) {
            out.push((path(prefix, "dpa.document"), rule));
        }
        if self.vendor.is_empty() {
            if !self.vendor_entity.is_empty() {
                out.push((path(prefix, "vendor_entity"), "needs vendor, whose entity it is".to_owned()));
            }
            if !self.vendor_services.is_empty() {
                out.push((path(prefix, "vendor_services"), "needs vendor, whose services they are".to_owned()));
            }
        }
    }

    fn admit<'a>(&'a mut self, writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            self.admit_state(before, &day(writer.now()))?;
            writer.pass_untold(before.map(|before| &before.message), self).await?;
            match before {
                Some(before) => self.record_lost_gates(writer, &before.message).await,
                None => Ok(()),
            }
        }
        .boxed()
    }

    fn inherit(&mut self, before: &Stored<Self>) {
        if self.is_entered_anew(before) {
            return;
        }
        let silent = self.state() == State::Unspecified;
        let old = &before.message;
        let started = matches!(old.state(), State::Active | State::Suspended | State::Retired);
        if started && !self.recorded_as_found && self.start_date.is_empty() {
            self.start_date.clone_from(&old.start_date);
        }
        let ended = old.state() == State::Retired;
        if ended && (silent || self.state() == State::Retired) && self.end_date.is_empty() {
            self.end_date.clone_from(&old.end_date);
        }
    }

    fn verify<'a>(&'a self, writer: &'a Writer, before: Option<&'a Stored<Self>>) -> BoxFuture<'a, Result<()>> {
        async move {
            let mut wrong = Violations::new();
            collect(self.check_vendor(writer).await, &mut wrong)?;
            let mut products = product_paths("", &self.products);
            for (i, location) in self.locations.iter().enumerate() {
                products.extend(product_paths(&format!("locations[{i}]."), &location.products));
            }
            collect(check_products(writer, &self.name, Self::KIND.singular(), products).await, &mut wrong)?;
            if !wrong.is_empty() {
                return Err(Error::fields(Reason::FieldInvalid, wrong));
            }
            self.refuse_cycle(writer).await?;
            self.refuse_duplicate(writer).await?;
            let Some(Stored { message: before, .. }) = before else { return Ok(()) };
            let in_use = |one: &Self| matches!(one.state(), State::Active | State::Suspended);
            if self.state() == State::Retired && in_use(before) {
                writer.refuse_while_engaging(&Name::of(Self::KIND, "subprocessor.name", &self.name)?).await?;
            }
            // What was overridden has been recorded.
            if writer.passes.over.is_some() { Ok(()) } else { self.refuse_lost_gates(writer, before).await }
        }
        .boxed()
    }
}

impl Subprocessor {
    /// The state is the lifecycle's, but for what was in use before the register began.
    fn admit_state(&mut self, before: Option<&Stored<Self>>, today: &str) -> Result<()> {
        let refuse = |rule: String| Err(Error::field("subprocessor.state", rule));
        let asked = self.state();
        if self.recorded_as_found && !self.start_date.is_empty() && self.start_date.as_str() > today {
            let rule = format!("is after today ({today}): what is recorded as found was in use already");
            return Err(Error::field("subprocessor.start_date", rule));
        }
        let Some(stored) = before.filter(|before| !self.is_entered_anew(before)) else {
            let state = match asked {
                State::Unspecified if self.recorded_as_found => State::Active,
                State::Unspecified | State::Proposed => State::Proposed,
                _ if self.recorded_as_found => asked,
                _ => return refuse("is output only: a new subprocessor is PROPOSED, unless recorded_as_found".into()),
            };
            self.set_state(state);
            self.end_if_over(today);
            return Ok(());
        };
        let before = stored.message.state();
        match asked {
            State::Unspecified => self.set_state(before),
            _ if asked == before => {}
            // What was entered as found can be corrected, but not be put into use without the gates.
            _ if self.recorded_as_found && asked != State::Active => {}
            _ => return refuse(differs(before, asked, self.recorded_as_found)),
        }
        if self.state() == State::Retired
            && before == State::Retired
            && self.end_date.is_empty()
            && !stored.message.end_date.is_empty()
        {
            return Err(Error::field("subprocessor.end_date", "is required: it is RETIRED"));
        }
        // The end that came with the state goes with it.
        let is_over = !self.end_date.is_empty() && self.end_date.as_str() <= today;
        if before == State::Retired
            && self.state() != State::Retired
            && is_over
            && self.end_date == stored.message.end_date
        {
            self.end_date.clear();
        }
        self.end_if_over(today);
        Ok(())
    }

    /// What is over ended on some day: today, as Retire has it, if nobody says when.
    fn end_if_over(&mut self, today: &str) {
        if self.state() == State::Retired && self.end_date.is_empty() {
            today.clone_into(&mut self.end_date);
        }
    }

    /// What is in use stays behind the gates it has passed: an update may not take it back before one of them.
    async fn refuse_lost_gates(&self, writer: &Writer, before: &Self) -> Result<()> {
        let (organization, lost) = self.lost_gates(writer, before).await?;
        if lost.is_empty() { Ok(()) } else { Err(lifecycle::refuse_gates(&self.name, &organization, &lost)) }
    }

    /// The same where somebody takes the responsibility.
    async fn record_lost_gates(&mut self, writer: &Writer, before: &Self) -> Result<()> {
        if writer.passes.over.is_some() {
            let (_, lost) = self.lost_gates(writer, before).await?;
            let records = lifecycle::records(lost, writer.passes.over.as_ref(), writer.now());
            self.gate_records.extend(records);
        }
        Ok(())
    }

    /// The gates that an update of what is in use would take it back before, where they bind; and the organization.
    async fn lost_gates(&self, writer: &Writer, before: &Self) -> Result<(String, Vec<Unmet>)> {
        let nothing = (String::new(), Vec::new());
        if self.state() != State::Active || before.state() != State::Active {
            return Ok(nothing);
        }
        // What decides on gates: an update of anything else costs nothing here.
        let decides = |one: &Self| {
            (one.vendor.clone(), one.vendor_entity.clone(), one.role, one.dpa.clone(), one.locations.clone())
        };
        if decides(self) == decides(before) {
            return Ok(nothing);
        }
        let organization = organization_of(writer, &self.name).await?;
        if !engagement::gates_bind(&organization) {
            return Ok(nothing);
        }
        let today = day(writer.now());
        let earlier = engagement::unmet_gates(before, before.find_vendor(writer).await?.as_ref(), &[], &today);
        let known = writer.uncovered(&organization, before, &today).await?;
        // A transfer that was not covered before is no worse than it was; another one is.
        let mut uncovered = writer.uncovered(&organization, self, &today).await?;
        uncovered.retain(|one| !known.iter().any(|other| other.key == one.key));
        let uncovered: Vec<String> = uncovered.iter().map(ToString::to_string).collect();
        let mut lost = engagement::unmet_gates(self, self.find_vendor(writer).await?.as_ref(), &uncovered, &today);
        lost.retain(|unmet| !earlier.iter().any(|other| other.gate == unmet.gate));
        Ok((organization.name, lost))
    }

    /// Whether it is brought back as found, or was found and is not any more.
    fn is_entered_anew(&self, before: &Stored<Self>) -> bool {
        before.is_deleted() && (self.recorded_as_found || before.message.recorded_as_found)
    }

    async fn check_vendor(&self, writer: &Writer) -> Result<()> {
        if self.vendor_entity.is_empty() && self.vendor_services.is_empty() {
            return Ok(());
        }
        // A vendor that is not there is refused with all other references.
        let Some(vendor) = self.find_vendor(writer).await? else { return Ok(()) };
        let mut wrong = Violations::new();
        if !self.vendor_entity.is_empty() && !vendor.entities.iter().any(|e| e.entity_id == self.vendor_entity) {
            let known = vendor.entities.iter().map(|e| e.entity_id.as_str()).collect::<Vec<_>>().join(", ");
            let rule =
                format!("\"{}\" is not an entity_id of {}; it has: {known}", clip(&self.vendor_entity), self.vendor);
            wrong.push(("subprocessor.vendor_entity".to_owned(), rule));
        }
        for (i, id) in self.vendor_services.iter().enumerate() {
            if !vendor.services.iter().any(|service| service.service_id == *id) {
                let known = vendor.services.iter().map(|s| s.service_id.as_str()).collect::<Vec<_>>().join(", ");
                let rule = format!("\"{}\" is not a service_id of {}; it has: {known}", clip(id), self.vendor);
                wrong.push((format!("subprocessor.vendor_services[{i}]"), rule));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::fields(Reason::FieldInvalid, wrong)) }
    }

    /// Whether it fits what stands beside it, whoever writes it.
    ///
    /// # Errors
    /// What it does not fit.
    pub(super) async fn refuse_conflicts(&self, writer: &Writer) -> Result<()> {
        self.check_vendor(writer).await?;
        self.refuse_cycle(writer).await?;
        self.refuse_duplicate(writer).await
    }

    pub(super) async fn find_vendor(&self, writer: &Writer) -> Result<Option<Vendor>> {
        let Some(name) = Name::parse(&self.vendor).filter(|name| name.kind() == Kind::Vendor) else { return Ok(None) };
        Ok(writer.find::<Vendor>(&name).await?.map(|stored| stored.message))
    }

    async fn refuse_cycle(&self, writer: &Writer) -> Result<()> {
        let mut links = Links::new();
        let mut next = self.engaged_by.clone();
        while let Some(name) = Name::parse(&next).filter(|name| name.kind() == Kind::Subprocessor) {
            let Some(above) = writer.find::<Self>(&name).await? else { break };
            if links.insert(next, above.message.engaged_by.clone()).is_some() {
                break;
            }
            next = above.message.engaged_by;
        }
        if let Some(cycle) = chain::cycle(&links, &self.name, &self.engaged_by) {
            let rule = format!(
                "the chain would bite its tail: {} would engage itself through {}",
                self.name,
                cycle.join(", ")
            );
            return Err(Error::fields(Reason::ChainCycle, vec![("subprocessor.engaged_by".to_owned(), rule)]));
        }
        Ok(())
    }

    async fn refuse_duplicate(&self, writer: &Writer) -> Result<()> {
        if self.vendor.is_empty() {
            return Ok(());
        }
        let Some(parent) = Name::parse(&self.name).and_then(|name| name.parent()) else { return Ok(()) };
        let siblings = writer.engagements(&parent, &self.vendor, &self.display_name).await?;
        match siblings.iter().find(|other| other.name != self.name && engagement::is_duplicate(self, other)) {
            None => Ok(()),
            Some(other) => {
                let message = format!("the same engagement is on the list already: {}", other.name);
                Err(Error::new(Reason::DuplicateEngagement, message).resource(Self::KIND.singular(), &other.name))
            }
        }
    }
}

/// What to do about a state that is not the registry's.
fn differs(before: State, asked: State, found: bool) -> String {
    let word = |state: State| state.as_str_name().trim_start_matches("STATE_");
    let leads = |step: Step| step.from(before).is_ok();
    let step = match asked {
        State::Active if leads(Step::Activate) => "use Activate, or ",
        // To where it can be activated from, past the gate of the notice.
        State::Active if found => "correct it to SUSPENDED and use Activate, or ",
        State::Suspended if leads(Step::Suspend) => "use Suspend, or ",
        State::Retired if leads(Step::Retire) => "use Retire, or ",
        _ => "",
    };
    let (before, asked) = (word(before), word(asked));
    // A manifest has the state of what was found only, and so has an export.
    let keep = if found { format!("write {before} as `export` does") } else { "leave it out".to_owned() };
    format!("is {before} in the registry, {asked} here: {step}{keep}")
}

impl Writer {
    /// Changes a subprocessor; what the caller gave passes gates.
    ///
    /// # Errors
    /// As for every update; GATE_REFUSED for what must wait for customers, or would lose a gate it has passed.
    pub async fn update_subprocessor(&mut self, change: Change<Subprocessor>, passes: Passes) -> Result<Subprocessor> {
        self.passes = passes;
        Box::pin(self.update(change)).await
    }

    /// The live engagements of a vendor under a display name.
    async fn engagements(&self, parent: &Name, vendor: &str, display_name: &str) -> Result<Vec<Subprocessor>> {
        let mut query = existing_query(Kind::Subprocessor);
        query
            .and_where(Expr::col(column("organization_id")).in_subquery(resource::id_of(parent.as_str())))
            .and_where(Expr::col(column("vendor")).eq(vendor))
            .and_where(Expr::col(column("display_name")).eq(display_name));
        let stored = fetch_stored::<Subprocessor>(self.tx(), &query).await?;
        Ok(stored.into_iter().map(|stored| stored.message).collect())
    }
}

/// The organization of a subprocessor.
async fn organization_of(writer: &Writer, name: &str) -> Result<Organization> {
    let parent = Name::parse(name).and_then(|name| name.parent());
    let parent = parent.ok_or_else(|| Error::internal("a subprocessor without an organization"))?;
    Ok(writer.get::<Organization>(&parent).await?.message)
}

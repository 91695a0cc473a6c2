//! Acknowledgements: what was said to findings. A finding is computed and never stored; what somebody said to it is
//! stored under its id, in the log like every resource.

use super::{
    standard::{match_etag, refuse_deleted},
    version::{Reference, Resource, Stored, day, stored_date, timestamp, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Acknowledgement, Finding, Organization},
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name, is_id},
    },
};

version_table!(Acknowledgement, table "acknowledgement", entity versions, {
    subject: String = |m| m.subject.clone(),
    principal: String = |m| m.principal.clone(),
    return_date: String = |m| stored_date(&m.return_date),
    return_date_desc: String = |m| m.return_date.clone(),
    finding_kind: i32 = |m| m.finding_kind,
});

impl Resource for Acknowledgement {
    const KIND: Kind = Kind::Acknowledgement;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("return_date", FieldKind::Date).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("subject", FieldKind::Text),
        Field::new("principal", FieldKind::Text),
        Field::new("finding_kind", FieldKind::Choice("subprocessor.registry.v1.Finding.Kind")),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// It holds nothing back: what a finding was about may be deleted.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
}

/// The organization and the id in the name of a finding.
pub fn finding_name(text: &str) -> Option<(Name, &str)> {
    let (organization, id) = text.split_once("/findings/")?;
    let organization = Name::parse(organization).filter(|name| name.kind() == Kind::Organization)?;
    is_id(id).then_some((organization, id))
}

/// The name of what is said to the finding of this name.
pub fn name_for(finding: &str) -> String {
    finding.replacen("/findings/", "/acknowledgements/", 1)
}

impl Writer {
    /// Acknowledges a finding; `said` has the reason and the date of its return. The same said again by the same
    /// principal changes nothing.
    ///
    /// # Errors
    /// FIELD_INVALID for a date that has passed; ETAG_STALE; RESOURCE_DELETED.
    pub async fn acknowledge(&mut self, mut finding: Finding, said: Acknowledgement, etag: &str) -> Result<Finding> {
        let today = day(self.now());
        if said.return_date < today {
            return Err(Error::field("return_date", format!("must not be before today ({today})")));
        }
        let name = Name::of(Kind::Acknowledgement, "name", &name_for(&finding.name))?;
        let parent = name.parent().ok_or_else(|| Error::internal("an acknowledgement without an organization"))?;
        refuse_deleted(&self.get::<Organization>(&parent).await?)?;
        let before = self.find::<Acknowledgement>(&name).await?;
        match &before {
            Some(before) => match_etag(before, etag)?,
            None if !etag.is_empty() => return Err(stale(&name)),
            None => {}
        }
        let after = self.say(&finding, said, before.as_ref(), name.as_str());
        finding.acknowledgement = Some(self.put(before.as_ref(), after).await?);
        Ok(finding)
    }

    fn say(
        &self,
        finding: &Finding,
        said: Acknowledgement,
        before: Option<&Stored<Acknowledgement>>,
        name: &str,
    ) -> Acknowledgement {
        let mut after = before.map(|before| before.message.clone()).unwrap_or_default();
        let earlier = after.clone();
        name.clone_into(&mut after.name);
        (after.reason, after.return_date) = (said.reason, said.return_date);
        self.call().principal.clone_into(&mut after.principal);
        finding.subject.clone_into(&mut after.subject);
        finding.text.clone_into(&mut after.finding_text);
        after.finding_kind = finding.kind;
        if after != earlier {
            after.acknowledge_time = Some(timestamp(self.now().as_microsecond()));
        }
        after
    }
}

fn stale(name: &Name) -> Error {
    let message = format!("{name} does not exist: the finding was not acknowledged yet");
    Error::new(Reason::EtagStale, message).resource(Kind::Acknowledgement.singular(), name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_findings_are_read_and_nothing_else() {
        let (organization, id) = finding_name("organizations/a/findings/dpa-due-1").expect("a name");
        assert_eq!((organization.as_str(), id), ("organizations/a", "dpa-due-1"));
        assert_eq!(name_for("organizations/a/findings/x"), "organizations/a/acknowledgements/x");
        for bad in [
            "",
            "organizations/a/findings/",
            "organizations/-/findings/x",
            "vendors/a/findings/x",
            "findings/x",
            "organizations/a/findings/x/y",
            "organizations/a/findings/X",
            "organizations/a/acknowledgements/x",
        ] {
            assert!(finding_name(bad).is_none(), "{bad}");
        }
    }
}

//! What a delivery is made of: what its revision did to what is told of.

use super::follow::objections;
use crate::{
    error::Result,
    proto::v1::{Notice, Objection, Subprocessor},
    resource::name::Name,
    rules::event::Event,
    store::Store,
};

/// What a revision did to what is told of, each before and after.
#[derive(Debug, Default)]
pub struct Tidings {
    /// Notices.
    pub notices: Vec<(Option<Notice>, Notice)>,
    /// Subprocessors; `None` where there was, or is, none.
    pub subprocessors: Vec<(Option<Subprocessor>, Option<Subprocessor>)>,
    /// Objections, with what is told of them.
    pub objections: Vec<(Event, Objection)>,
}

impl Store {
    /// What a revision did to an organization, of what is told.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn tidings(&self, revision: i64, organization: &Name) -> Result<Tidings> {
        let id = self.resource_id(organization).await?;
        let mut changes = self.changes(&[revision]).await?;
        changes.retain(|one| one.organization_id == id);
        let notices = self.seen::<Notice>(&changes).await?.into_iter();
        let objections = objections(self.seen(&changes).await?).collect();
        let subprocessors = self.seen::<Subprocessor>(&changes).await?.into_iter();
        Ok(Tidings {
            notices: notices.filter_map(|seen| Some((seen.before, seen.after?))).collect(),
            subprocessors: subprocessors.map(|seen| (seen.before, seen.after)).collect(),
            objections,
        })
    }
}

//! Recipients of notices. Only the registry writes them; what they answer comes through the notice's own methods.

use sea_orm::sea_query::{Expr, ExprTrait, Order};

use super::{
    notice::due_micros,
    read::{existing_query, fetch_stored},
    version::{Reference, Resource, Stored, column, version_methods, version_table},
    writer::Writer,
};
use crate::{
    error::Result,
    proto::v1::NoticeRecipient,
    resource::{
        filter::{Field, FieldKind},
        name::{Kind, Name},
    },
};

version_table!(NoticeRecipient, table "recipient", entity versions, {
    parent: String = |m| notice_of(&m.name),
    customer: String = |m| m.customer.clone(),
    method: i32 = |m| m.method,
    due_time: i64 = |m| due_micros(m.due_time.as_ref()),
});

impl Resource for NoticeRecipient {
    const KIND: Kind = Kind::Recipient;
    const FIELDS: &'static [Field] = &[
        Field::new("name", FieldKind::Text).ordered(),
        Field::new("create_time", FieldKind::Time).ordered(),
        Field::new("update_time", FieldKind::Time).ordered(),
        Field::new("customer", FieldKind::Text),
        Field::new("method", FieldKind::Choice("subprocessor.registry.v1.Agreement.NoticeMethod")),
        Field::new("statuses", FieldKind::Choices("subprocessor.registry.v1.RecipientChange.Status")),
        Field::new("change_ids", FieldKind::Texts),
    ];
    version_methods!(versions);

    fn values(&self) -> Vec<(&'static str, String)> {
        let status = |number: crate::proto::v1::recipient_change::Status| {
            number.as_str_name().trim_start_matches("STATUS_").to_owned()
        };
        let statuses = self.changes.iter().map(move |change| ("statuses", status(change.status())));
        statuses.chain(self.changes.iter().map(|change| ("change_ids", change.change_id.clone()))).collect()
    }

    /// It holds nothing back: whom a notice reached stays so when the customer goes.
    fn references(&self) -> Vec<Reference> {
        Vec::new()
    }
}

/// The notice that the name of a recipient or an objection begins with.
pub(super) fn notice_of(name: &str) -> String {
    let above = |text: &str| text.rsplit_once('/').map(|(above, _)| above.to_owned());
    above(name).and_then(|collection| above(&collection)).unwrap_or_default()
}

/// The recipient that a customer is of a notice.
pub fn name_of(notice: &Name, customer: &str) -> Name {
    let id = customer.rsplit('/').next().unwrap_or_default();
    Name::new(Kind::Recipient, Some(notice), id)
}

impl Writer {
    /// The live recipients of a notice after a name, in the order of names, `size` at most.
    pub(super) async fn recipients(
        &self,
        notice: &str,
        after: &str,
        size: u64,
    ) -> Result<Vec<Stored<NoticeRecipient>>> {
        let mut query = existing_query(Kind::Recipient);
        query
            .and_where(Expr::col(column("parent")).eq(notice))
            .and_where(Expr::col(column("name")).gt(after))
            .order_by(column("name"), Order::Asc)
            .limit(size);
        fetch_stored(self.tx(), &query).await
    }

    /// Shows every live recipient of a notice to `look`, in the order of names, a page of them in memory at a time.
    pub(super) async fn each_recipient(
        &self,
        notice: &str,
        mut look: impl FnMut(&NoticeRecipient) + Send,
    ) -> Result<()> {
        const PAGE: u64 = 500;
        let mut after = String::new();
        loop {
            let page = self.recipients(notice, &after, PAGE).await?;
            for stored in &page {
                look(&stored.message);
            }
            match page.last() {
                Some(last) if page.len() as u64 == PAGE => last.name().clone_into(&mut after),
                _ => return Ok(()),
            }
        }
    }
}

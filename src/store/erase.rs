//! Erasing personal data (GDPR Art. 17): the content of past versions goes, the digests stay, the chain still verifies.

use sea_orm::{
    ConnectionTrait, FromQueryResult,
    sea_query::{Condition, Expr, ExprTrait, Query},
};

use super::{
    outbox, request, resource,
    subscription::endpoint,
    version::{Resource, cleared_columns, column, table, value_table},
    writer::Writer,
};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{Customer, ErasePersonalDataResponse, Subprocessor, Subscription},
    resource::name::{Kind, Name},
};

#[derive(FromQueryResult)]
struct Candidate {
    from_revision: i64,
    to_revision: Option<i64>,
    deleted: bool,
}

impl Writer {
    /// Erases the past versions of a resource; of a deleted one, the last as well.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there never was one; NOTICE_REFUSED for what still applies to customers.
    pub async fn erase<R: Resource>(&mut self, name: &Name, reason: &str) -> Result<ErasePersonalDataResponse> {
        let row = resource::find(self.tx(), name.as_str()).await?;
        let row = row.ok_or_else(|| Error::not_found(R::KIND.singular(), name.as_str()))?;
        let query = Query::select()
            .columns(["from_revision", "to_revision", "deleted"].map(column))
            .from(table(R::KIND))
            .and_where(Expr::col(column("resource_id")).eq(row.id))
            .and_where(Expr::col(column("body")).is_not_null())
            .to_owned();
        let rows = self.tx().query_all(&query).await?;
        let candidates: Vec<Candidate> =
            rows.iter().map(|row| Candidate::from_query_result(row, "")).collect::<Result<_, _>>()?;
        let live = candidates.iter().find(|version| version.to_revision.is_none() && !version.deleted);
        let live = live.map(|version| version.from_revision);
        let kept = live.is_some();
        let erased: Vec<i64> =
            candidates.iter().map(|version| version.from_revision).filter(|from| Some(*from) != live).collect();
        if erased.is_empty() {
            let revision = self.revision();
            return Ok(ErasePersonalDataResponse { revision, versions_erased: 0, current_version_kept: kept });
        }
        if R::KIND == Kind::Subprocessor && kept {
            self.refuse_what_applies(name, &erased).await?;
        }
        // One does not name them: there can be more than a statement binds.
        let past = Condition::all()
            .add(Expr::col(column("resource_id")).eq(row.id))
            .add_option(live.map(|from| Expr::col(column("from_revision")).ne(from)));
        let mut clear = Query::update();
        clear
            .table(table(R::KIND))
            .value(column("body"), Option::<Vec<u8>>::None)
            .value(column("salt"), Option::<Vec<u8>>::None)
            .cond_where(past.clone());
        for (name, value) in cleared_columns::<R>() {
            clear.value(column(&name), Expr::value(value));
        }
        self.tx().execute(&clear).await?;
        let forget = Query::delete().from_table(value_table(R::KIND)).cond_where(past).to_owned();
        self.tx().execute(&forget).await?;
        request::forget(self.tx(), row.id).await?;
        match R::KIND {
            Kind::Subscription => {
                let left = if kept { self.find::<Subscription>(name).await? } else { None };
                let left = left.and_then(|stored| endpoint(&stored.message).map(str::to_owned));
                outbox::forget(self.tx(), name.as_str(), left.as_slice()).await?;
            }
            Kind::Customer => {
                let left = if kept { self.find::<Customer>(name).await? } else { None };
                let contacts = left.map(|stored| stored.message.contacts).unwrap_or_default();
                let addresses: Vec<String> = contacts.into_iter().map(|one| one.email).collect();
                outbox::forget(self.tx(), name.as_str(), &addresses).await?;
            }
            _ => {}
        }
        if R::KIND == Kind::Subscription && !kept {
            self.forget_secrets(&row.uid).await?;
        }
        let revision = self.record_erasure(&row, reason)?;
        let versions_erased = i32::try_from(erased.len()).map_err(Error::internal)?;
        Ok(ErasePersonalDataResponse { revision, versions_erased, current_version_kept: kept })
    }
    /// Refuses to erase what a subprocessor was before a change that is held back from customers: to them it applies still,
    /// and without it they would be shown the change.
    async fn refuse_what_applies(&self, name: &Name, erased: &[i64]) -> Result<()> {
        const SHOWN: usize = 10;
        let Some(live) = self.find::<Subprocessor>(name).await? else { return Ok(()) };
        let held = live.message.held_changes.iter().filter(|layer| erased.contains(&layer.before_revision));
        let held: Vec<(&str, String)> = held
            .map(|layer| {
                let mut who = layer.customers.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
                if layer.customers.len() > SHOWN {
                    who += " and others";
                }
                let text = format!(
                    "{} is held back from {who}: what was before it, in revision {}, still applies to them",
                    layer.change_id, layer.before_revision
                );
                (layer.notice.as_str(), text)
            })
            .collect();
        if held.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{name} still applies to customers as it was before a change: erase it once that is held back from nobody \
             any more, or delete it first"
        );
        let error = Error::new(Reason::NoticeRefused, text);
        Err(held.into_iter().fold(error, |error, (notice, text)| error.precondition("NOTICE", notice, text)))
    }
}

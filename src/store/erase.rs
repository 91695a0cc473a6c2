//! Erasing personal data (GDPR Art. 17): the content of past versions goes, the digests stay, the chain still verifies.

use sea_orm::{
    ConnectionTrait, FromQueryResult,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    outbox, request, resource,
    subscription::endpoint,
    version::{Resource, cleared_columns, column, table, value_table},
    writer::Writer,
};
use crate::{
    error::{Error, Result},
    proto::v1::{Customer, ErasePersonalDataResponse, Subscription},
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
    /// RESOURCE_NOT_FOUND if there never was one.
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
        let kept = candidates.iter().any(|version| version.to_revision.is_none() && !version.deleted);
        let erased: Vec<i64> = candidates
            .iter()
            .filter(|version| version.to_revision.is_some() || version.deleted)
            .map(|version| version.from_revision)
            .collect();
        if erased.is_empty() {
            let revision = self.revision();
            return Ok(ErasePersonalDataResponse { revision, versions_erased: 0, current_version_kept: kept });
        }
        let mut clear = Query::update();
        clear
            .table(table(R::KIND))
            .value(column("body"), Option::<Vec<u8>>::None)
            .value(column("salt"), Option::<Vec<u8>>::None)
            .and_where(Expr::col(column("resource_id")).eq(row.id))
            .and_where(Expr::col(column("from_revision")).is_in(erased.iter().copied()));
        for (name, value) in cleared_columns::<R>() {
            clear.value(column(&name), Expr::value(value));
        }
        self.tx().execute(&clear).await?;
        let forget = Query::delete()
            .from_table(value_table(R::KIND))
            .and_where(Expr::col(column("resource_id")).eq(row.id))
            .and_where(Expr::col(column("from_revision")).is_in(erased.iter().copied()))
            .to_owned();
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
}

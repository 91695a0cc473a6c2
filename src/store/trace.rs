//! Chains of engagements, followed from one end: level by level, so that the number of queries grows with their depth
//! only.

use std::collections::HashSet;

use prost::Message;
use sea_orm::sea_query::{Expr, ExprTrait, Order};

use super::{
    Store,
    read::{AsOf, alive_at, fetch_all, version_query},
    version::{Stored, column},
};
use crate::{
    error::{Result, answer_fits},
    proto::v1::{Link, Subprocessor, TraceSubprocessorResponse},
    resource::name::{Kind, Name},
};

impl Store {
    /// The chain around a subprocessor, both ways: one query for each step up and for each level down.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if there is or was none; ANSWER_TOO_LARGE.
    pub async fn trace_subprocessor(&self, name: &Name, as_of: Option<AsOf>) -> Result<TraceSubprocessorResponse> {
        let revision = self.revision_at(as_of).await?;
        let at = Some(AsOf::Revision(revision));
        let subprocessor: Subprocessor = self.get(name, at).await?;
        let mut upstream: Vec<Subprocessor> = Vec::new();
        let mut next = subprocessor.engaged_by.clone();
        while let Some(above) = Name::parse(&next) {
            if upstream.iter().any(|seen| seen.name == next) {
                break;
            }
            let above: Subprocessor = self.get(&above, at).await?;
            next.clone_from(&above.engaged_by);
            upstream.push(above);
        }
        let mut downstream: Vec<Link> = Vec::new();
        let mut level = vec![name.to_string()];
        let mut seen = HashSet::from([name.to_string()]);
        let mut depth = 0;
        while !level.is_empty() {
            depth += 1;
            let mut below = Vec::new();
            for chunk in level.chunks(500) {
                let mut query = version_query(Kind::Subprocessor);
                query
                    .and_where(Expr::col(column("engaged_by")).is_in(chunk.iter().cloned()))
                    .and_where(Expr::col(column("deleted")).eq(false))
                    .cond_where(alive_at(revision))
                    .order_by(column("name"), Order::Asc);
                for row in fetch_all(self.reads(), &query).await? {
                    below.extend(Stored::<Subprocessor>::decode(row)?.map(|stored| stored.message));
                }
            }
            below.retain(|found| seen.insert(found.name.clone()));
            level = below.iter().map(|found| found.name.clone()).collect();
            downstream.extend(below.into_iter().map(|found| Link { subprocessor: Some(found), depth }));
        }
        let answer = TraceSubprocessorResponse { subprocessor: Some(subprocessor), upstream, downstream, revision };
        answer_fits(&format!("the chain of {name}"), answer.encoded_len())?;
        Ok(answer)
    }
}

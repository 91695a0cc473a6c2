//! Answers remembered by request id (AIP-155), for each principal, for a day, successes only.

use jiff::Timestamp;
use prost::Message;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::entity::request;
use crate::{
    call::Call,
    error::{Error, Reason, Result},
};

/// How long answers are remembered, in microseconds.
const REMEMBERED: i64 = 24 * 60 * 60 * 1_000_000;
/// Characters of a request id.
const MAX_LENGTH: usize = 128;

/// Checks the form of a request id.
///
/// # Errors
/// FIELD_INVALID if it is too long or not visible ASCII.
pub fn check(request_id: &str) -> Result<()> {
    if request_id.len() <= MAX_LENGTH && request_id.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(Error::field(
            "request_id",
            format!("must be at most {MAX_LENGTH} visible ASCII characters, such as a UUID"),
        ))
    }
}

/// The answer given to this request before, if there was one.
///
/// # Errors
/// REQUEST_ID_REUSED if the id came with another request.
pub(super) async fn recall<T: Message + Default>(
    db: &impl ConnectionTrait,
    call: &Call,
    now: Timestamp,
) -> Result<Option<T>> {
    if call.request_id.is_empty() {
        return Ok(None);
    }
    let key = (call.principal.clone(), call.request_id.clone());
    let Some(row) = request::Entity::find_by_id(key).one(db).await? else { return Ok(None) };
    if row.answer_time <= now.as_microsecond() - REMEMBERED {
        return Ok(None);
    }
    if row.method != call.method || row.digest != call.request_digest {
        let message = "request_id was used for another request within 24 hours";
        return Err(Error::new(Reason::RequestIdReused, message)
            .with("request_id", &call.request_id)
            .with("method", &row.method));
    }
    T::decode(row.response.as_slice()).map(Some).map_err(Error::internal)
}

/// Remembers an answer, and forgets those of yesterday.
pub(super) async fn remember<T: Message>(
    db: &impl ConnectionTrait,
    call: &Call,
    now: Timestamp,
    resource_id: i64,
    response: &T,
) -> Result<()> {
    if call.request_id.is_empty() {
        return Ok(());
    }
    let oldest = now.as_microsecond() - REMEMBERED;
    request::Entity::delete_many().filter(request::Column::AnswerTime.lte(oldest)).exec(db).await?;
    let row = request::ActiveModel {
        principal: Set(call.principal.clone()),
        request_id: Set(call.request_id.clone()),
        method: Set(call.method.to_owned()),
        digest: Set(call.request_digest.to_vec()),
        answer_time: Set(now.as_microsecond()),
        resource_id: Set(resource_id),
        response: Set(response.encode_to_vec()),
    };
    request::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// Forgets the answers that are, or may hold, a resource.
pub(super) async fn forget(db: &impl ConnectionTrait, resource_id: i64) -> Result<()> {
    request::Entity::delete_many().filter(request::Column::ResourceId.is_in([0, resource_id])).exec(db).await?;
    Ok(())
}

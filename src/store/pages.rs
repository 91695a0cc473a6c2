//! All pages of a list at once, for answers that are made of the whole of it.

use prost::Message;

use super::{Store, read::List, version::Resource};
use crate::{
    error::{Result, answer_fits},
    resource::page::Position,
};

/// Resources that are read at once.
pub(super) const CHUNK: usize = 1_000;

/// How much larger than an answer that may be from which it is made.
pub(super) const HELD: usize = 16;

impl Store {
    /// All of a list for which `keep` holds, in its order. `what`: the answer that is made of it.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if the parent does not exist at that revision; ANSWER_TOO_LARGE.
    pub(super) async fn all_pages<R: Resource>(
        &self,
        list: &List<'_>,
        what: &str,
        keep: impl Fn(&R) -> bool + Send,
    ) -> Result<Vec<R>> {
        let (mut all, mut bytes, mut after): (Vec<R>, usize, Option<Position>) = (Vec::new(), 0, None);
        loop {
            let mut page = self.list::<R>(&List { after: after.as_ref(), size: CHUNK, ..list.clone() }).await?;
            page.items.retain(&keep);
            bytes += page.items.iter().map(Message::encoded_len).sum::<usize>();
            answer_fits(what, bytes / HELD)?;
            all.extend(page.items);
            if page.next.is_none() {
                return Ok(all);
            }
            after = page.next;
        }
    }
}

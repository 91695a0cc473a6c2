//! What is due: deadlines that silence lets pass, and notices whose time has come.
//!
//! What is applied is applied as of the instant at which it was due, whenever that is done: the result is the same if
//! the registry was down in between.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use prost::Message;

use super::{State, advance::next_midnight, due_micros, is_open, publish::CHUNK_BYTES};
use crate::{
    error::{Error, Result},
    proto::v1::{Notice, NoticeRecipient, recipient_change::Status},
    resource::name::{Kind, Name},
    rules::notice::{
        effect::applied,
        instant,
        recipient::{leave, pass},
        stamp,
    },
    store::{
        due::next_due,
        read::fetch_stored,
        recipient::notice_of,
        version::{Resource, Stored},
        writer::Writer,
    },
};

/// Recipients whose deadline passes in one revision.
const CHUNK: u64 = 250;

/// What was being applied when it failed: a notice or a recipient, and when it was due. A write that fails leaves
/// nothing else behind.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct Blame(Arc<Mutex<Option<(Name, i64)>>>);

impl Blame {
    fn put<R: Resource>(&self, on: &Stored<R>, micros: i64) {
        let name = Name::parse(on.name());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = name.map(|name| (name, micros));
    }

    /// What is to blame; none if it was nothing in particular.
    pub(in crate::store) fn take(&self) -> Option<(Name, i64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Writer {
    /// Applies what is due next, if its time has come, and returns when something is due after it, in microseconds since
    /// 1970. What it is at is said in `blame`.
    pub(in crate::store) async fn apply_next_due(&mut self, blame: &Blame) -> Result<i64> {
        let now = self.now().as_microsecond();
        let recipients = self.due::<NoticeRecipient>(CHUNK).await?;
        let notices = self.due::<Notice>(1).await?;
        let first = |due: Option<&prost_types::Timestamp>| due_micros(due);
        let silence = recipients.first().map_or(i64::MAX, |one| first(one.message.due_time.as_ref()));
        let effect = notices.first().map_or(i64::MAX, |one| first(one.message.due_time.as_ref()));
        // Whoever has not objected by then has not objected when the change takes effect.
        if silence <= now && silence <= effect {
            self.pass_silence(recipients, silence, blame).await?;
        } else if effect <= now
            && let Some(notice) = notices.into_iter().next()
        {
            blame.put(&notice, effect);
            let at = exactly(notice.message.due_time.as_ref(), effect)?;
            Box::pin(self.advance(notice, at)).await?;
        } else {
            return self.next_due().await;
        }
        if !self.has_written() {
            // It would be due again at once, and so for ever.
            return Err(Error::internal("something is due, and nothing comes of it"));
        }
        self.next_due().await
    }

    /// Puts off what could not be applied, for a reason that is not a gate's: a notice is held, a recipient's silence
    /// passes later; all that is due after it goes on.
    pub(in crate::store) async fn hold_due(&mut self, name: &Name, micros: i64, reason: String) -> Result<i64> {
        let now = self.now();
        if name.kind() == Kind::Recipient {
            if let Some(stored) = self.find::<NoticeRecipient>(name).await?
                && due_micros(stored.message.due_time.as_ref()) == micros
            {
                let recipient = NoticeRecipient { due_time: stamp(next_midnight(now)?), ..stored.message.clone() };
                self.put(Some(&stored), recipient).await?;
            }
        } else if let Some(stored) = self.find::<Notice>(name).await?
            && due_micros(stored.message.due_time.as_ref()) == micros
        {
            let mut notice = stored.message.clone();
            if is_open(notice.state()) {
                notice.set_state(State::Held);
                self.noted.note_held();
            }
            notice.hold_reasons = vec![reason];
            notice.due_time = stamp(next_midnight(now)?);
            self.put(Some(&stored), notice).await?;
        }
        self.next_due().await
    }

    /// Tries again a notice that is HELD.
    pub(in crate::store) async fn retry_held(&mut self, name: &str) -> Result<i64> {
        let name = Name::of(Kind::Notice, "name", name)?;
        if let Some(stored) = self.find::<Notice>(&name).await?
            && stored.message.state() == State::Held
        {
            let now = self.now();
            Box::pin(self.advance(stored, now)).await?;
        }
        self.next_due().await
    }

    /// When something is due next. What this write has said of that is in it.
    async fn next_due(&mut self) -> Result<i64> {
        let mut next = i64::MAX;
        if let Some(one) = self.due::<NoticeRecipient>(1).await?.first() {
            next = next.min(due_micros(one.message.due_time.as_ref()));
        }
        if let Some(one) = self.due::<Notice>(1).await?.first() {
            next = next.min(due_micros(one.message.due_time.as_ref()));
        }
        self.noted.forget_next();
        Ok(next)
    }

    async fn due<R: Resource>(&self, size: u64) -> Result<Vec<Stored<R>>> {
        fetch_stored(self.tx(), &next_due(R::KIND, size)).await
    }

    /// Lets the deadlines pass that are at one instant.
    async fn pass_silence(&mut self, due: Vec<Stored<NoticeRecipient>>, micros: i64, blame: &Blame) -> Result<()> {
        let mut at = Timestamp::from_microsecond(micros).map_err(Error::internal)?;
        let (mut released, mut bytes, mut is_first) = (Vec::new(), 0, true);
        let due: Vec<_> = due.into_iter().filter(|one| due_micros(one.message.due_time.as_ref()) == micros).collect();
        let mut notices: Vec<String> = due.iter().map(|one| notice_of(one.name())).collect();
        notices.sort();
        notices.dedup();
        let notices: HashMap<String, Stored<Notice>> = self
            .live_among::<Notice>("name", &notices)
            .await?
            .into_iter()
            .map(|one| (one.name().to_owned(), one))
            .collect();
        for stored in due {
            blame.put(&stored, micros);
            at = at.max(exactly(stored.message.due_time.as_ref(), micros)?);
            let mut after = stored.message.clone();
            pass(&mut after, at);
            let notice = notices.get(&notice_of(stored.name()));
            let applied = notice.map(|notice| applied(&notice.message, &after, at)).unwrap_or_default();
            leave(&mut after, &applied, at);
            // A revision counts what was before as well as what is after; the rest comes in the next one.
            bytes += stored.message.encoded_len() + after.encoded_len();
            if bytes > CHUNK_BYTES && !is_first {
                break;
            }
            is_first = false;
            let is_released = after.changes.iter().any(|change| change.status() == Status::Released);
            if is_released && let Some(notice) = Name::parse(&after.name).and_then(|name| name.parent()) {
                released.push(notice);
            }
            self.put(Some(&stored), after).await?;
        }
        released.dedup();
        for notice in released {
            self.touch(&notice, at).await?;
        }
        Ok(())
    }
}

/// The instant at which something is due that was found by its microsecond: what is stored may be finer, and is not
/// due before it is.
fn exactly(due: Option<&prost_types::Timestamp>, micros: i64) -> Result<Timestamp> {
    let found = Timestamp::from_microsecond(micros).map_err(Error::internal)?;
    Ok(instant(due).map_or(found, |due| due.max(found)))
}

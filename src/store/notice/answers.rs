//! What recipients say: that they took note, authorize, deny, object, ask; and what was recorded of telling them.

use jiff::Timestamp;

use super::{State, refused, stamp, state_word};
use crate::{
    error::{Error, Reason, Result},
    proto::v1::{
        DeliveryReceipt, Notice, NoticePolicy, NoticeQuestion, NoticeRecipient, Objection,
        delivery_receipt::Kind as Receipt,
        objection::{Outcome, State as ObjectionState},
        recipient_change::Status,
    },
    resource::{
        name::{Kind, Name},
        text,
    },
    rules::notice::{
        effect::applied,
        instant,
        recipient::{self as machine, strangers},
    },
    store::{
        recipient::name_of,
        standard::{Creation, match_etag, refuse_deleted},
        version::Stored,
        writer::Writer,
    },
};

/// What a recipient says.
#[derive(Debug, Clone)]
pub enum Answer {
    /// It took note.
    Acknowledge {
        /// When; absent: now.
        event_time: Option<Timestamp>,
    },
    /// It authorizes changes.
    Authorize {
        /// Which; none: all.
        change_ids: Vec<String>,
        /// What it wrote.
        note: String,
    },
    /// It denies changes.
    Deny {
        /// Which; none: all.
        change_ids: Vec<String>,
        /// What it wrote.
        note: String,
    },
    /// It asks.
    Ask {
        /// Tells the question apart; empty: one is made.
        question_id: String,
        /// The question.
        question: String,
    },
    /// It was answered.
    Reply {
        /// Which question.
        question_id: String,
        /// The answer.
        answer: String,
        /// What was done for it.
        mitigation: String,
    },
    /// It was told, it arrived, or it came back.
    Record {
        /// What happened.
        kind: Receipt,
        /// When; absent: now.
        event_time: Option<Timestamp>,
        /// What proves it.
        evidence: String,
    },
}

/// That a recipient was told by the registry itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The recipient.
    pub recipient: String,
    /// The delivery.
    pub delivery: String,
    /// When it was accepted.
    pub event_time: Timestamp,
    /// What proves it.
    pub evidence: String,
}

/// A published notice and one of those it reaches, as one write finds them.
struct Told {
    notice: Stored<Notice>,
    recipient: Stored<NoticeRecipient>,
    policy: NoticePolicy,
}

impl Told {
    /// The changes that apply to the recipient already.
    fn applied(&self, at: Timestamp) -> Vec<String> {
        applied(&self.notice.message, &self.recipient.message, at)
    }
}

impl Writer {
    /// Records what a recipient says.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND if the notice does not reach the customer; FIELD_INVALID; NOTICE_REFUSED for what the notice, or
    /// what was agreed, does not allow.
    pub async fn answer(&mut self, notice: &Name, customer: &str, answer: Answer) -> Result<NoticeRecipient> {
        let told = self.told(notice, customer).await?;
        let now = self.now();
        let by = self.call().principal.clone();
        let mut after = told.recipient.message.clone();
        let allow = |outcome: std::result::Result<(), String>| outcome.map_err(|text| refused(customer, text));
        match answer {
            Answer::Acknowledge { event_time } => {
                let at = told.within(event_time, now)?;
                allow(machine::acknowledge(&mut after, at, now, &told.policy)?)?;
            }
            Answer::Authorize { change_ids, note } => {
                told.refuse_strangers(&change_ids)?;
                allow(machine::authorize(&mut after, &change_ids, now, &by, &note))?;
            }
            Answer::Deny { change_ids, note } => {
                told.refuse_strangers(&change_ids)?;
                let applied = told.applied(now);
                allow(machine::deny(&mut after, &change_ids, &applied, now, &by, &note))?;
            }
            Answer::Ask { question_id, question } => {
                if after.questions.iter().any(|known| known.question_id == question_id) {
                    return Err(Error::field("question_id", format!("\"{question_id}\" is used already")));
                }
                if after.questions.len() >= MOST {
                    return Err(refused(customer, format!("has asked {MOST} questions already")));
                }
                let made = uuid::Uuid::now_v7().simple().to_string();
                let question_id = if question_id.is_empty() { made } else { question_id };
                let ask_time = stamp(now);
                after.questions.push(NoticeQuestion { question_id, question, ask_time, ..NoticeQuestion::default() });
            }
            Answer::Reply { question_id, answer, mitigation } => {
                let question = after.questions.iter_mut().find(|known| known.question_id == question_id);
                let question = question.ok_or_else(|| {
                    Error::field("question_id", format!("\"{question_id}\" is no question of {customer}"))
                })?;
                (question.answer, question.mitigation, question.answer_time) = (answer, mitigation, stamp(now));
            }
            Answer::Record { kind, event_time, evidence } => {
                let at = told.within(event_time, now)?;
                if after.receipts.len() >= MOST {
                    return Err(refused(customer, format!("has {MOST} receipts already")));
                }
                let receipt = DeliveryReceipt {
                    kind: kind.into(),
                    event_time: stamp(at),
                    record_time: stamp(now),
                    principal: by,
                    evidence,
                    delivery: String::new(),
                };
                allow(machine::record(&mut after, receipt, now, &told.policy)?)?;
            }
        }
        self.put_recipient(&told.recipient, after).await
    }

    /// Records that the registry has told recipients: each by a delivery that was accepted, with what proves it.
    ///
    /// # Errors
    /// If the write fails. What a notice that is over has no use for is left out.
    pub async fn record_deliveries(&mut self, told: &[Proof]) -> Result<()> {
        let mut recipients: std::collections::BTreeMap<&str, Vec<&Proof>> = std::collections::BTreeMap::new();
        for proof in told {
            recipients.entry(&proof.recipient).or_default().push(proof);
        }
        let now = self.now();
        for (name, proofs) in recipients {
            let Some(name) = Name::parse(name).filter(|name| name.kind() == Kind::Recipient) else { continue };
            let Some(before) = self.find::<NoticeRecipient>(&name).await? else { continue };
            let Some(notice) = self.live_notice(&name).await? else { continue };
            let policy = notice.policy.unwrap_or_default();
            let mut after = before.message.clone();
            for proof in proofs {
                // An attempt of which nobody heard that it had succeeded is made again. What came back tells anew.
                let last = after.receipts.iter().rfind(|one| one.delivery == proof.delivery);
                let is_known = last.is_some_and(|one| one.kind() == Receipt::Delivered);
                if after.receipts.len() >= MOST || is_known {
                    continue;
                }
                let at = proof.event_time.min(now);
                let receipt = DeliveryReceipt {
                    kind: Receipt::Delivered.into(),
                    event_time: stamp(at),
                    record_time: stamp(now),
                    principal: self.call().principal.clone(),
                    evidence: text::without_addresses(&proof.evidence),
                    delivery: proof.delivery.clone(),
                };
                // What it cannot be told any more changes nothing.
                let _ = machine::record(&mut after, receipt, now, &policy)?;
            }
            self.put_recipient(&before, after).await?;
        }
        Ok(())
    }

    /// A mail that told a recipient came back.
    pub(in crate::store) async fn came_back(
        &mut self,
        recipient: &Name,
        delivery: &str,
        diagnostic: &str,
        at: Timestamp,
    ) -> Result<()> {
        let before = self.get::<NoticeRecipient>(recipient).await?;
        let Some(notice) = self.live_notice(recipient).await? else { return Ok(()) };
        let now = self.now();
        let mut after = before.message.clone();
        after.receipts.push(DeliveryReceipt {
            kind: Receipt::Bounced.into(),
            event_time: stamp(at),
            record_time: stamp(now),
            principal: self.call().principal.clone(),
            // The log is for good, and mail servers quote whom they refuse.
            evidence: text::without_addresses(diagnostic),
            delivery: delivery.to_owned(),
        });
        machine::come_back(&mut after, now, &notice.policy.unwrap_or_default())?;
        self.put_recipient(&before, after).await.map(drop)
    }

    /// The notice of a recipient, unless it is withdrawn.
    async fn live_notice(&self, recipient: &Name) -> Result<Option<Notice>> {
        let Some(name) = recipient.parent() else { return Ok(None) };
        let notice = self.existing::<Notice>(&name).await?;
        let told = |notice: &Notice| matches!(notice.state(), State::Published | State::Held | State::Effective);
        Ok(notice.map(|notice| notice.message).filter(told))
    }

    /// The recipient that a customer is of a notice that is not over before it began.
    async fn told(&self, name: &Name, customer: &str) -> Result<Told> {
        let notice = self.get::<Notice>(name).await?;
        refuse_deleted(&notice)?;
        if notice.message.inbound {
            return Err(refused(name.as_str(), "is a vendor's notice to the organization: it has no recipients"));
        }
        if !matches!(notice.message.state(), State::Published | State::Held | State::Effective) {
            let state = state_word(notice.message.state());
            let text = format!("{name} is {state}: nobody answers to it");
            return Err(Error::new(Reason::StateTransitionRefused, text.clone()).with("state", state).precondition(
                "STATE",
                name.as_str(),
                text,
            ));
        }
        let organization = name.organization();
        let of = Name::parse(customer).filter(|one| one.kind() == Kind::Customer && one.organization() == organization);
        if of.is_none() {
            let form = organization.map(|one| one.to_string()).unwrap_or_default();
            let rule = format!(
                "must be a name of the form {form}/customers/{{customer}}, not \"{}\"",
                crate::error::clip(customer)
            );
            return Err(Error::field("customer", rule));
        }
        let recipient = self.get::<NoticeRecipient>(&name_of(name, customer)).await?;
        let policy = notice.message.policy.unwrap_or_default();
        Ok(Told { notice, recipient, policy })
    }

    async fn put_recipient(
        &mut self,
        before: &Stored<NoticeRecipient>,
        after: NoticeRecipient,
    ) -> Result<NoticeRecipient> {
        let decides = before.message.changes != after.changes;
        let after = self.put(Some(before), after).await?;
        self.note_due(after.due_time.as_ref());
        if decides && let Some(notice) = Name::parse(&after.name).and_then(|name| name.parent()) {
            let now = self.now();
            self.touch(&notice, now).await?;
        }
        Ok(after)
    }

    /// Lodges an objection.
    ///
    /// # Errors
    /// RESOURCE_EXISTS, RESOURCE_NOT_FOUND, FIELD_INVALID, NOTICE_REFUSED.
    pub async fn lodge(&mut self, creation: Creation<Objection>) -> Result<Objection> {
        let mut objection = creation.message;
        self.refuse_name_in_use(&objection).await?;
        let notice = Name::parse(&objection.name).and_then(|name| name.parent());
        let notice = notice.ok_or_else(|| Error::internal("an objection without a notice"))?;
        let customer = objection.customer.clone();
        let told = self.told(&notice, &customer).await.map_err(|error| in_field(error, "objection"))?;
        let now = self.now();
        let at =
            told.within(instant(objection.lodge_time.as_ref()), now).map_err(|error| in_field(error, "objection"))?;
        objection.lodge_time = stamp(at);
        told.refuse_strangers(&objection.change_ids).map_err(|error| in_field(error, "objection"))?;
        if objection.change_ids.is_empty() {
            let open = |id: &String| {
                let gone = |change: &&crate::proto::v1::NoticeChange| {
                    change.change_id == *id && change.withdraw_time.is_some()
                };
                !told.notice.message.changes.iter().any(|change| gone(&change))
            };
            let own = told.recipient.message.changes.iter().filter(|change| change.status() != Status::Released);
            objection.change_ids = own.map(|change| change.change_id.clone()).filter(open).collect();
        }
        let gone = told
            .notice
            .message
            .changes
            .iter()
            .find(|change| change.withdraw_time.is_some() && objection.change_ids.contains(&change.change_id));
        if let Some(change) = gone {
            return Err(refused(&customer, format!("{} was withdrawn", change.change_id)));
        }
        if objection.change_ids.is_empty() {
            return Err(refused(&customer, "nothing of the notice waits for this customer any more"));
        }
        objection.set_state(ObjectionState::Open);
        let by = self.call().principal.clone();
        let mut after = told.recipient.message.clone();
        let applied = told.applied(now);
        machine::object(&mut after, &mut objection, &applied, &told.policy, &by)?
            .map_err(|text| refused(&customer, text))?;
        self.put_recipient(&told.recipient, after).await?;
        self.put_unused(None, objection).await
    }

    /// Closes an objection.
    ///
    /// # Errors
    /// RESOURCE_NOT_FOUND, ETAG_STALE; STATE_TRANSITION_REFUSED if it is closed; NOTICE_REFUSED if a change it is against
    /// is said to be withdrawn and is not.
    pub async fn resolve_objection(
        &mut self,
        name: &Name,
        etag: &str,
        outcome: Outcome,
        resolution: String,
    ) -> Result<Objection> {
        let before = self.get::<Objection>(name).await?;
        match_etag(&before, etag)?;
        if before.message.state() != ObjectionState::Open {
            let text = format!("{name} is CLOSED and can be resolved only while OPEN");
            return Err(Error::new(Reason::StateTransitionRefused, text.clone()).with("state", "CLOSED").precondition(
                "STATE",
                name.as_str(),
                text,
            ));
        }
        let notice = name.parent().ok_or_else(|| Error::internal("an objection without a notice"))?;
        let stored = self.get::<Notice>(&notice).await?;
        let mut after = before.message.clone();
        if outcome == Outcome::ChangeWithdrawn {
            let stands = stored
                .message
                .changes
                .iter()
                .find(|change| change.withdraw_time.is_none() && after.change_ids.contains(&change.change_id));
            if let Some(change) = stands {
                let text = format!("{} stands: withdraw it (WithdrawNotice)", change.change_id);
                return Err(refused(notice.as_str(), text));
            }
        }
        let now = self.now();
        after.set_state(ObjectionState::Closed);
        after.set_outcome(outcome);
        after.resolution = resolution;
        after.resolve_time = stamp(now);
        if let Some(recipient) = self.find::<NoticeRecipient>(&name_of(&notice, &after.customer)).await? {
            let mut changed = recipient.message.clone();
            let policy = stored.message.policy.unwrap_or_default();
            let by = self.call().principal.clone();
            machine::resolve(&mut changed, &after, &policy, now, &by)?;
            self.put_recipient(&recipient, changed).await?;
        }
        self.put(Some(&before), after).await
    }
}

/// Questions or receipts of one recipient.
const MOST: usize = 200;

impl Told {
    /// The instant at which something happened: after publication, and not in the future.
    fn within(&self, time: Option<Timestamp>, now: Timestamp) -> Result<Timestamp> {
        let at = time.unwrap_or(now);
        let published = instant(self.notice.message.publish_time.as_ref()).unwrap_or(now);
        let field = "event_time";
        if at > now {
            return Err(Error::field(field, format!("must not be after now ({now})")));
        }
        if at < published {
            return Err(Error::field(field, format!("must not be before the notice was published ({published})")));
        }
        Ok(at)
    }

    fn refuse_strangers(&self, ids: &[String]) -> Result<()> {
        let wrong = strangers(&self.recipient.message, ids);
        if wrong.is_empty() {
            return Ok(());
        }
        let customer = &self.recipient.message.customer;
        let rule = |(i, id): (usize, String)| {
            let id = crate::error::clip(&id).into_owned();
            (format!("change_ids[{i}]"), format!("\"{id}\" is no change that concerns {customer}"))
        };
        Err(Error::fields(Reason::FieldInvalid, wrong.into_iter().map(rule).collect()))
    }
}

/// A refusal of a field, where the request has it inside another one.
fn in_field(error: Error, outer: &str) -> Error {
    if error.reason() != Reason::FieldInvalid {
        return error;
    }
    let fields = error.field_violations().map(|(field, rule)| {
        let field = if field == "event_time" { "lodge_time" } else { field };
        (format!("{outer}.{field}"), rule.to_owned())
    });
    Error::fields(Reason::FieldInvalid, fields.collect())
}

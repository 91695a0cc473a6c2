//! One attempt: what is sent, what that came to, and what follows from it.

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use tracing::Span;

use super::Pace;
use crate::{
    clock::Clock,
    notify::{
        channels::Channels,
        email::{Sent, reply},
        prepare::Job,
        webhook::{Attempt, Outcome as Answer},
    },
    rules::event,
    store::{
        Store,
        notice::answers::Proof,
        outbox::claim::{Claimed, Outcome, Settled},
    },
    trace,
};

/// What a mail server says of an address, and not of the message (RFC 5321 section 4.2.3): there is no such mailbox.
const NO_MAILBOX: [u16; 3] = [550, 551, 553];

/// What became of an attempt, and what follows from it for others.
pub(super) struct Done {
    pub(super) settled: Settled,
    /// It counts as telling a recipient.
    pub(super) proof: Option<Proof>,
    pub(super) follows: Follows,
}

/// What follows for the subscription.
pub(super) enum Follows {
    Nothing,
    /// Its other end has agreed.
    Verify,
    /// Its other end is gone, and why.
    Disable(String),
}

impl Done {
    /// What was not sent.
    pub(super) fn without(claimed: Claimed, outcome: Outcome, attempt_time: Timestamp, error: String) -> Self {
        let settled = Settled { claimed, outcome, attempt_time, status_code: 0, error, duration: Duration::ZERO };
        Self { settled, proof: None, follows: Follows::Nothing }
    }
}

/// Makes one attempt.
pub(super) async fn attempt(store: &Store, channels: &Channels, pace: &Pace, claimed: Claimed, job: Job) -> Done {
    let attempt_time = store.clock().now();
    match job {
        Job::Drop(reason) => Done::without(claimed, Outcome::Dropped, attempt_time, reason),
        Job::Unmade(reason) => {
            let outcome = retry(pace, claimed.attempt_count + 1, attempt_time, None);
            Done::without(claimed, outcome, attempt_time, reason)
        }
        Job::Webhook { uri, keys, body, challenge } => {
            let trace = trace::current();
            let trace = Some(trace.as_str()).filter(|trace| !trace.is_empty());
            // Receivers refuse what their own clock finds too old or too new, also in a rehearsal.
            let answer = channels.webhooks.post(&uri, claimed.id(), Clock::system(), &keys, &body, trace).await;
            if let Some(status) = answer.status {
                Span::current().record("http.response.status_code", i64::from(status));
            }
            failed_with(&answer.error);
            webhook_done(store, pace, claimed, attempt_time, answer, &challenge)
        }
        Job::Mail(mail) => {
            let begun = std::time::Instant::now();
            let sent = match &channels.mail {
                Some(own) => own.mailer.send(&mail).await,
                None => Sent::Transient { code: None, text: "there is no mail server".to_owned() },
            };
            let address = mail.to.address.to_string();
            match &sent {
                Sent::Accepted { .. } => {}
                // Its words can hold an address, which has no place in a trace.
                Sent::Permanent { code, text, .. } | Sent::Transient { code, text } => {
                    failed_with(&reply::codes(*code, text));
                }
            }
            mail_done(store, pace, claimed, attempt_time, sent, begun.elapsed(), &address)
        }
    }
}

/// Says on the span of an attempt that it failed.
fn failed_with(error: &str) {
    if !error.is_empty() {
        Span::current().record("otel.status_code", "ERROR").record("otel.status_description", error);
    }
}

fn webhook_done(
    store: &Store,
    pace: &Pace,
    claimed: Claimed,
    attempt_time: Timestamp,
    answer: Attempt,
    challenge: &str,
) -> Done {
    let now = store.clock().now();
    let attempts = claimed.attempt_count + 1;
    let (mut proof, mut follows) = (None, Follows::Nothing);
    let status_code = i32::from(answer.status.unwrap_or(0));
    let outcome = match answer.outcome {
        Answer::Accepted => {
            // Its path may hold a password of theirs.
            let origin: Vec<&str> = claimed.endpoint.splitn(4, '/').take(3).collect();
            proof = proof_of(&claimed, now, format!("HTTP {status_code} from {}", origin.join("/")));
            let body = String::from_utf8_lossy(&answer.body_start);
            if !challenge.is_empty() && body.contains(challenge) {
                follows = Follows::Verify;
            }
            Outcome::Delivered
        }
        Answer::Gone => {
            follows = Follows::Disable("the endpoint answered 410: it is gone".to_owned());
            Outcome::Dead
        }
        Answer::Retry { after } => retry(pace, attempts, now, after),
        Answer::Refused => retry(pace, attempts, now, None),
    };
    let settled =
        Settled { claimed, outcome, attempt_time, status_code, error: answer.error, duration: answer.duration };
    Done { settled, proof, follows }
}

fn mail_done(
    store: &Store,
    pace: &Pace,
    claimed: Claimed,
    attempt_time: Timestamp,
    sent: Sent,
    duration: Duration,
    address: &str,
) -> Done {
    let now = store.clock().now();
    let attempts = claimed.attempt_count + 1;
    let (mut proof, mut follows) = (None, Follows::Nothing);
    let (outcome, code, error) = match sent {
        Sent::Accepted { response } => {
            // The log keeps this for good. Whose mailbox it is stands in the delivery, where it can be erased.
            let domain = address.rsplit('@').next().unwrap_or_default();
            let response = reply::without_addresses(&response);
            proof =
                proof_of(&claimed, now, format!("the mail server took the mail to a contact at {domain}: {response}"));
            (Outcome::Delivered, Some(250), String::new())
        }
        Sent::Permanent { code, text, of_address } => {
            let is_gone = of_address && code.is_some_and(|code| NO_MAILBOX.contains(&code));
            if claimed.event_type != event::VERIFICATION && is_gone {
                follows = Follows::Disable(format!("mail to it is refused: {text}"));
            }
            (Outcome::Dead, code, text)
        }
        Sent::Transient { code, text } => (retry(pace, attempts, now, None), code, text),
    };
    let status_code = i32::from(code.unwrap_or(0));
    let settled = Settled { claimed, outcome, attempt_time, status_code, error, duration };
    Done { settled, proof, follows }
}

pub(super) fn retry(pace: &Pace, attempts: i32, now: Timestamp, asked: Option<Duration>) -> Outcome {
    let chance = rand::rng().random();
    pace.next(attempts, now, asked, chance).map_or(Outcome::Dead, |at| Outcome::Retry { at })
}

fn proof_of(claimed: &Claimed, now: Timestamp, evidence: String) -> Option<Proof> {
    (!claimed.recipient.is_empty()).then(|| Proof {
        recipient: claimed.recipient.clone(),
        delivery: claimed.name.clone(),
        event_time: now,
        evidence,
    })
}

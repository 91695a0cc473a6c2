//! Webhooks by Standard Webhooks 1.0.0: one attempt to deliver one event to an endpoint that a stranger named.
//!
//! Three parts: [`guard`] says where an attempt may go, [`sign`] what proves that it comes from us, [`client`]
//! makes it.

pub mod client;
mod connect;
pub mod guard;
mod resolve;
pub mod sign;

pub use self::{
    client::{Attempt, Options, Outcome, Sender},
    guard::{Policy, check_uri},
    resolve::Resolve,
    sign::Secret,
};

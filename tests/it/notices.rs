//! Notices: what is announced to whom, what each one answers, and when a change takes effect for whom (DESIGN §6).

mod answers;
mod clauses;
mod customers;
mod due;
mod durable;
mod effect;
mod evidence;
mod inbound;
mod model;
mod refusals;
pub mod scene;
mod unseen;

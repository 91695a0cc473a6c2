//! What the registry does by itself: [`schedule`] lets time pass; [`webhook`] and [`email`] are the ways by which customers
//! are told. Who is told what, and when it is tried again, is decided elsewhere: a transport makes one attempt.

pub mod channels;
pub mod email;
pub mod outbox;
pub mod prepare;
pub mod schedule;
pub mod seal;
pub mod tidings;
mod tls;
pub mod webhook;

//! What the registry does by itself: [`schedule`] lets time pass, [`outbox`] sends what is to be told. Of what it sends,
//! [`tidings`] reads what an event says, `letter` says of a notice's changes what people are told, [`prepare`] makes a
//! webhook or a mail of it, and [`webhook`] and [`email`] are transports, which make one attempt and know nothing of whom
//! they tell what. [`channels`] is what a server has to send with, and [`seal`] keeps its secrets.

pub mod channels;
pub mod email;
mod letter;
pub mod outbox;
pub mod prepare;
pub mod schedule;
pub mod seal;
pub mod tidings;
mod tls;
pub mod webhook;

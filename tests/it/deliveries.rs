//! Deliveries: what is told by webhook and by mail, through the API, to real receivers (DESIGN §6).

mod channels;
mod durable;
mod letters;
mod locks;
mod mail;
mod mail_subscriptions;
mod mending;
mod objections;
pub mod scene;
mod webhooks;

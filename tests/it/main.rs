//! The registry's tests, through its API: one binary, every test on SQLite and on PostgreSQL.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)] // A test fails by panicking.
#![allow(unreachable_pub, missing_docs)] // A test binary has no public items; `pub` marks what modules share.

mod authority;
mod catalog;
mod command_line;
mod contract;
mod deliveries;
mod email;
mod erased;
mod full_disk;
mod guards;
mod health;
mod histories;
mod hostile;
mod import;
mod law;
mod list;
mod log;
mod manifests;
mod migrations;
mod notices;
mod plans;
mod policies;
mod resolve;
mod sink;
mod smoke;
mod support;
mod web;
mod webhook;

//! The registry's tests, through its API: one binary, every test on SQLite and on PostgreSQL.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)] // Helpers of tests fail as tests do.
#![allow(unreachable_pub, missing_docs)] // A test binary has no public items; `pub` marks what modules share.

mod catalog;
mod command_line;
mod contract;
mod erased;
mod hostile;
mod list;
mod log;
mod manifests;
mod migrations;
mod plans;
mod policies;
mod smoke;
mod support;

//! The registry's tests, through its API: one binary, every test on SQLite and on PostgreSQL.

#![allow(unreachable_pub, missing_docs)] // A test binary has no public items; `pub` marks what modules share.

mod catalog;
mod contract;
mod list;
mod log;
mod manifests;
mod migrations;
mod plans;
mod policies;
mod smoke;
mod support;

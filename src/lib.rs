//! The subprocessor registry: who processes a company's customer data, since when, on what legal ground, and what was
//! known of it on any day.
//!
//! # The map
//!
//! A request takes three hops: [`api`] unwraps it, [`store`] reads or queues it, the resource's own file in the store
//! reads what a rule needs, calls the rule, and writes. Imports go downward only, in this order:
//!
//! | layer | what it does |
//! |---|---|
//! | `main`, [`cli`] | the command line: a server, and a client of one |
//! | [`client`] | for Rust programs that use a registry |
//! | [`run`], [`server`], [`config`], [`telemetry`] | settings become a clock, a store, services and a port |
//! | [`api`], [`web`] | one file a service, one a page: unwrap, one call, wrap |
//! | [`auth`], [`notify`], [`catalog`], [`manifest`], [`import`] | what callers may do; what happens when its time comes, and telling others of it; what turns files into messages and back |
//! | [`store`] | versions, the writer, the log; the only part that names SeaORM |
//! | [`rules`] | the law of transfers, clocks and states of notices, gates, chains, hashes, names of vendors: pure functions, no I/O, no clock |
//! | [`resource`] | names, masks, pages, filters, shapes, JSON, diffs: pure, driven by descriptors |
//! | [`call`], [`clock`], [`error`], [`metrics`], [`trace`], [`reset`], [`proto`] | what everything stands on |
//!
//! # What always holds
//!
//! - The messages of [`proto`] are the model: there is no second copy of a resource. Masks, diffs, manifests, the JSON
//!   Schema and `-o json` read the contract's descriptors, and the first words of a field's comment ("Required.",
//!   "Output only.", "Immutable.") are the rule that is enforced ([`resource::behavior`]).
//! - One door for reads ([`store::read`]), one for writes ([`store::write`]). A version cannot be stored without its
//!   change, nor a change without its revision.
//! - Commit order is revision order, on both databases and with any number of replicas: the counter row is locked first.
//! - Nothing is answered before its commit is durable; nothing of a refused write remains.
//! - A version is never changed, but for its end and its erasure. So what was read at a revision fits together, and a
//!   page token needs to hold no more than that revision and a key.
//! - Stored bytes are hashed, never re-encoded ones ([`rules::log`]).
//! - Only [`error`] names a gRPC code, only [`config`] reads the environment (and
//!   the command line, where a client finds its server), only [`clock`] reads the time.
//! - What is due is applied as of the instant at which it was due, once, in that order, each in a revision of its own
//!   ([`store::due`]); no call is answered from before it.
//! - What is told to subscribers and contacts is made of the revision in which it happened ([`store::outbox`]): each
//!   event reaches each receiver at least once, always under the same id. What proves that a customer was told is in the log
//!   before the delivery is over.
//! - Nothing is sent to where nobody agreed to it, and no webhook to an address that is not public
//!   ([`notify::webhook::guard`]).
//! - No text of a driver, and no cause, reaches a caller.
//!
//! # To add a resource
//!
//! Five new files: its messages in `proto/`, a migration, its table in `src/store/`, its handlers in `src/api/` (or the
//! existing service's file), its tests in `tests/it/`. And a line in each list: [`resource::name::Kind`], the migrator,
//! `api::routes`, the table in [`auth`], [`manifest::Flavour::sections`] if manifests have it. What is left out does not
//! compile or fails a test.
pub mod api;
pub mod auth;
pub mod call;
pub mod catalog;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod error;
pub mod import;
pub mod manifest;
pub mod metrics;
pub mod notify;
pub mod proto;
pub mod reset;
pub mod resource;
pub mod rules;
pub mod run;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod web;

//! subprocessor-registry
pub mod api;
pub mod auth;
pub mod call;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod manifest;
pub mod proto;
pub mod reset;
pub mod resource;
pub mod rules;
pub mod run;
pub mod server;
pub mod store;
pub mod telemetry;

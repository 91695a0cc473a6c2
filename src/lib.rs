//! subprocessor-registry
pub mod auth;
pub mod call;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod proto;
pub mod reset;
pub mod resource;
pub mod run;
pub mod server;
pub mod telemetry;

//! subprocessor-registry
pub mod api;
pub mod auth;
pub mod call;
pub mod clock;
pub mod error;
pub mod proto;
pub mod resource;
pub mod rules;
pub mod store;

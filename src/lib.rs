//! subprocessor-registry
pub mod api;
pub mod auth;
pub mod call;
pub mod catalog;
pub mod clock;
pub mod error;
pub mod manifest;
pub mod proto;
pub mod resource;
pub mod rules;
pub mod store;

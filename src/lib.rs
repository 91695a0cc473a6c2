//! subprocessor-registry
pub mod call;
pub mod clock;
pub mod error;
pub mod proto;
pub mod resource;
pub mod rules;
pub mod store;

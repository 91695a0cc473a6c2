//! subprocessor-registry
pub mod call;
pub mod clock;
pub mod error;
pub mod manifest;
pub mod proto;
pub mod resource;

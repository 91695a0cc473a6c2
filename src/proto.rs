//! The generated contract: messages, servers and clients of `subprocessor.registry.v1`, with its descriptors.

use std::sync::LazyLock;

use prost_reflect::DescriptorPool;

/// The messages, servers and clients of package `subprocessor.registry.v1`.
pub mod v1 {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::all)]
    tonic::include_proto!("subprocessor.registry.v1");
}

/// The encoded `FileDescriptorSet` of the contract, comments included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

/// The name of the package.
pub const PACKAGE: &str = "subprocessor.registry.v1";

/// The contract's descriptors, by which masks, diffs, manifests and checks find their way through messages.
#[allow(clippy::expect_used)] // The bytes are made by this crate's own build.
pub static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("the built-in descriptors are well formed"));

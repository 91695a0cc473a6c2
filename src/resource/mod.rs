//! What all resources have in common, as pure functions: names, masks, pages, filters, and the shape of a message as its
//! descriptors describe it. No I/O and no clock here.

pub mod behavior;
pub mod filter;
pub mod mask;
pub mod name;
pub mod page;
pub mod shape;
pub mod text;

//! What all resources have in common, as pure functions: names, masks, pages, filters, and the shape of a message as its
//! descriptors describe it. No I/O and no clock here.

pub mod address;
mod align;
pub mod behavior;
pub mod diff;
pub mod filter;
pub mod json;
pub mod mask;
pub mod name;
pub mod page;
pub mod shape;
pub mod text;
mod yaml;

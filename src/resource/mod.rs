//! What all resources have in common, as pure functions: names, masks, pages, filters, etags, and the shape of a
//! message as its descriptors describe it. No I/O and no clock here.

pub mod behavior;
pub mod json;
pub mod name;

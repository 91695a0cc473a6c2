//! Published lists as manifests: real pages and invented ones of other shapes, each with what it must come to; and
//! files that are no list, or hostile.

pub mod expected;
mod growth;
mod hostile;
mod kept;
mod organization;
mod pages;

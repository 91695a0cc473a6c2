//! The contract (DESIGN §3): every method with what it gives and what it refuses, over every kind of resource.

mod lists;
mod masks;
mod methods;
mod orders;
mod references;
mod steps;
mod subject;

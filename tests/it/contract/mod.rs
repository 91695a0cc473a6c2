//! The contract (DESIGN §3): every method with what it gives and what it refuses, over every kind of resource.

mod filter_refusals;
mod filters;
mod lists;
mod masks;
mod methods;
mod orders;
mod references;
mod rehearsals;
mod replays;
mod steps;
mod subject;
mod text;
mod text_lists;
mod time;
mod whole;

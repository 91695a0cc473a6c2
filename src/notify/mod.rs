//! What the registry does by itself: [`schedule`] lets time pass.

pub mod schedule;

//! The law, the gates and the log's arithmetic: pure functions over small structs. Every violation is returned, not only
//! the first. No I/O and no clock here: days and instants are passed in.

pub mod chain;
pub mod engagement;
pub mod event;
pub mod evidence;
pub mod finding;
pub mod law;
pub mod list_diff;
pub mod log;
pub mod notice;
pub mod paper;
pub mod publication;
pub mod reach;
pub mod timeline;
pub mod vendor_name;

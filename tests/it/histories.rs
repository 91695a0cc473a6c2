//! Real lists and their real histories, replayed with a moved clock: the list of each date, and what each step changed,
//! as they were published. Whatever is put into `tests/data/history` and `tests/data/lists` is tried.

mod in_place;
mod linked;
mod lists;
mod notices;
mod products;
pub mod record;
mod replay;

//! What stands for many places: cells that span columns and rows, headings inside tables, long addresses. A page of a few
//! bytes could span itself over all memory.

use super::super::{
    Refusal,
    page::{Cell, Run},
};

/// Bytes that these may become on one page, with those of what holds them: each copy of a cell is read like any cell.
const MAX_COPIED: usize = 4 * 1024 * 1024;

/// How much of a page that is.
#[derive(Debug, Default)]
pub(super) struct Spans(std::cell::Cell<usize>);

impl Spans {
    /// A cell for one more place that it spans; none if there is no more room.
    pub(super) fn copy(&self, cell: &Cell) -> Option<Cell> {
        let runs =
            cell.runs.iter().map(|run| size_of::<Run>() + run.text.len() + run.link.as_ref().map_or(0, String::len));
        let items = cell.items.iter().map(|item| size_of::<String>() + item.len());
        self.spend(size_of::<Cell>() + runs.chain(items).sum::<usize>()).then(|| cell.clone())
    }

    /// Takes room for what stands for more than one place; returns whether there was any.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        self.0.set(self.0.get().saturating_add(bytes));
        self.0.get() <= MAX_COPIED
    }

    /// Refuses a page of which there was more.
    pub(super) fn within_limits(&self) -> Result<(), Refusal> {
        match self.0.get() > MAX_COPIED {
            true => Err(Refusal::new(format!(
                "cells that span columns and rows, and what else stands for many places, make more than {MAX_COPIED} bytes of this page"
            ))),
            false => Ok(()),
        }
    }
}

//! Places as lists name them: countries by their codes, areas that are no countries, cities, states and regions of
//! clouds by the country they are in. The table is data (`places.yaml`); what it does not know is left over, and said.

mod instruments;
mod reading;
mod table;

use std::sync::LazyLock;

use table::Table;

pub(super) use reading::{Found, Reading};

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("places.yaml")));

/// What is known of places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places(&'static Table);

impl Places {
    /// The built-in table.
    pub(super) fn builtin() -> Self {
        Self(&TABLE)
    }

    /// Reads the places that a cell names. `codes`: its column holds codes, so that any two letters are one.
    pub(super) fn read(self, text: &str, codes: bool) -> Reading {
        reading::read(self.0, text, codes)
    }

    /// Whether a word is that of an area, as the registry has it.
    pub(super) fn is_area(self, word: &str) -> bool {
        self.0.is_area(word)
    }

    /// Whether the cells of a column are codes of two letters, nearly all of them.
    pub(super) fn are_codes<'a>(self, cells: impl Iterator<Item = &'a str>) -> bool {
        let (mut all, mut codes) = (0_usize, 0_usize);
        for cell in cells {
            all += 1;
            let mut words = cell.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
            let is_code = |word: &str| word.len() == 2 && self.0.is_code(&word.to_ascii_uppercase());
            codes += usize::from(words.peek().is_some() && words.all(is_code));
        }
        all > 1 && codes * 10 >= all * 8
    }
}

#[cfg(test)]
mod tests;

//! Which vendor a name means, as published lists write names. Pure: an index is built once from vendors and asked many
//! times.
//!
//! A cell is cleaned of marks and footnotes, and split into the names it holds (`cell`). A name is taken apart into
//! the name itself and what stands beside it (`pieces`): trade names, former names, owners, remarks. Each piece is
//! looked up (`judge`) by its letters, domain, initials, beginning, end, and for typing errors (`near`); and what
//! the pieces say together decides (`combine`).
//!
//! The rules know legal forms, places, general words and the words of the language, and nothing of any vendor but what
//! the index was built from. They are strict where a name is short or an ordinary word, which many companies have in
//! theirs ("Linear Technology" is not Linear), and tolerant where it was made for one.

mod cell;
mod combine;
mod index;
mod judge;
mod legal_form;
mod names;
mod near;
mod normalize;
mod pieces;
mod words;

use crate::proto::v1::{VendorMatch, vendor_match::Via};

use combine::Verdict;
use judge::How;
use pieces::Role;

pub use index::{Builder, Index};
pub use names::Names;

/// A score from which on a match is one.
pub const MATCH: f64 = 0.8;

/// What is less sure is not offered.
const LEAST: f64 = 0.5;

impl Index {
    /// The vendors that a name may mean, best first: at most `most` for it, and for each of several names in one cell.
    pub fn resolve(&self, name: &str, most: usize) -> Vec<VendorMatch> {
        let mut matches = Vec::new();
        for (part, verdicts) in self.read_cell(name) {
            let likely = verdicts.iter().filter(|verdict| verdict.found.score >= LEAST).take(most);
            matches.extend(likely.filter_map(|verdict| self.answer(verdict, part.as_deref().unwrap_or_default())));
        }
        // Those of one score stay in the order of the cell.
        matches.sort_by(|a, b| b.score.total_cmp(&a.score));
        matches
    }

    fn answer(&self, verdict: &Verdict, part: &str) -> Option<VendorMatch> {
        let known = self.known.get(verdict.found.known as usize)?;
        let text = |number: Option<u32>| number.and_then(|number| self.known.get(number as usize));
        Some(VendorMatch {
            vendor: self.holder(verdict.found.vendor)?.name.to_string(),
            entity_id: text(verdict.entity).map(|known| known.entity.to_string()).unwrap_or_default(),
            service_id: text(verdict.service).map(|known| known.service.to_string()).unwrap_or_default(),
            // Two digits are more than the rules know. What is almost a match is none.
            score: (verdict.found.score.clamp(0.0, 1.0) * 100.0 + 1e-4).floor() / 100.0,
            via: known.via.into(),
            matched: known.matched.to_string(),
            part: part.to_owned(),
            reason: reason(verdict, known.via),
        })
    }
}

/// Why, in one sentence.
fn reason(verdict: &Verdict, via: Via) -> String {
    let text = match via {
        Via::DisplayName => "display name",
        Via::LegalName => "legal name",
        Via::Alias => "alias",
        Via::FormerName => "former name",
        Via::Service => "service",
        Via::Domain | Via::Unspecified => "domain",
    };
    let place = match verdict.role {
        Role::Head => "It",
        Role::Same => "What it is also called",
        Role::Former => "What it was called",
        Role::Beside => "What stands beside it",
        Role::Owner => "Its owner",
        Role::Note => "What it is said to use",
    };
    match verdict.found.how {
        How::Exact | How::Domain => format!("{place} is the vendor's {text}."),
        How::NoForm => format!("{place} is the vendor's {text} without the legal form."),
        How::OtherForm => format!("{place} is the vendor's {text} but for the legal form."),
        How::Shortened => format!("{place} is the vendor's {text} without its last word."),
        How::Initials => format!("{place} is the initials of the vendor's {text}."),
        How::Place => format!("{place} is the vendor's {text} and a place or kind of company."),
        How::Product => format!("{place} is the vendor's {text} and a product or trade."),
        How::Family => format!("{place} begins as the vendor's {text} does, and as most products of this brand."),
        How::Owned => format!("{place} is the vendor's {text} after its owner's."),
        How::Slip => format!("{place} is the vendor's {text} with a typing error."),
        How::Part => format!("{place} is like the vendor's {text}, which proves little."),
    }
}

//! Scripts that hold data and nothing else.

use super::super::dom::{Dom, Id};

/// Scripts whose data is read, at most.
const MAX_SCRIPTS: usize = 32;

/// The data of the scripts of a page, each with its line.
pub(super) fn data(dom: &Dom) -> Vec<(u32, String)> {
    dom.descendants(Dom::ROOT).filter_map(|id| of_script(dom, id)).take(MAX_SCRIPTS).collect()
}

fn of_script(dom: &Dom, id: Id) -> Option<(u32, String)> {
    if dom.tag(id) != "script" {
        return None;
    }
    let kind = dom.attribute(id, "type").unwrap_or_default().to_ascii_lowercase();
    if !matches!(kind.split(';').next().unwrap_or_default().trim(), "application/json" | "application/ld+json") {
        return None;
    }
    let text: String = dom.children(id).iter().filter_map(|child| dom.text(*child)).collect();
    text.trim_start().starts_with(['{', '[']).then(|| (dom.line(id), text))
}

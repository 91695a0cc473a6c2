//! Lists of HTML pages: bullets, numbers, and terms with what is said of each.

use super::{
    super::{
        dom::Id,
        page::{Block, Cell, Item, List},
    },
    Gather, MAX_DEPTH, Reader, Role, STARRED, Style,
};

impl Reader<'_> {
    pub(super) fn any_list(&mut self, id: Id, terms: bool, style: &Style, depth: usize) {
        if self.holds_structure(id) {
            // A list that lays out a page.
            self.flow(id, style, depth + 1);
            self.flush();
            return;
        }
        let items = if terms { self.terms(id) } else { self.items(id, depth) };
        let notes = !terms && !items.is_empty() && self.are_footnotes(id);
        if notes {
            for (index, item) in items.iter().enumerate() {
                let text = item.content.text().trim_end_matches(['↩', '↑', '^', '\u{fe0e}', ' ']).to_owned();
                let mark = (index + 1).to_string();
                self.blocks.push(Block::Footnote { mark, text, line: item.content.line });
            }
            return;
        }
        if !items.is_empty() {
            self.blocks.push(Block::List(List {
                line: self.dom.line(id),
                starred: self.dom.attribute(id, STARRED).is_some(),
                items,
            }));
        }
    }

    /// Whether all items of a list are what footnotes link to.
    fn are_footnotes(&self, id: Id) -> bool {
        let mut items = self.dom.children(id).iter().filter(|child| self.is_item(**child)).peekable();
        let is_note = |id: &Id| {
            let anchor = self.dom.attribute(*id, "id").unwrap_or_default();
            anchor.strip_prefix("user-content-").unwrap_or(anchor).starts_with("fn")
        };
        items.peek().is_some() && items.all(is_note)
    }

    pub(super) fn items(&self, id: Id, depth: usize) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        if depth > MAX_DEPTH {
            return items;
        }
        for child in self.dom.children(id) {
            if self.is_item(*child) {
                items.push(self.item(*child, depth + 1));
            } else if matches!(self.role(*child), Role::List) {
                // A list right inside a list, without an item around it: below the item before.
                let below = self.items(*child, depth + 1);
                match items.last_mut() {
                    Some(last) => last.children.extend(below),
                    None => items.extend(below),
                }
            } else if matches!(self.role(*child), Role::Apart | Role::Inline) && !self.dom.tag(*child).is_empty() {
                items.extend(self.items(*child, depth + 1));
            }
        }
        items
    }

    fn item(&self, id: Id, depth: usize) -> Item {
        let mut content = Cell { line: self.dom.line(id), ..Cell::default() };
        let mut gather =
            Gather { reader: self, cell: &mut content, bytes: 0, floor: 0, in_item: false, images: Vec::new() };
        gather.below(id, &Style::default(), 0, false);
        let mut children = Vec::new();
        self.lists_below(id, depth, &mut children);
        Item { content, children }
    }

    /// The items of the lists below an item.
    fn lists_below(&self, id: Id, depth: usize, out: &mut Vec<Item>) {
        if depth > MAX_DEPTH {
            return;
        }
        for child in self.dom.children(id) {
            match self.role(*child) {
                Role::List => out.extend(self.items(*child, depth + 1)),
                Role::Terms => out.extend(self.terms(*child)),
                Role::Apart | Role::Inline => self.lists_below(*child, depth + 1, out),
                _ => {}
            }
        }
    }

    /// Terms with what is said of them below each.
    fn terms(&self, id: Id) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        let mut spoken = true;
        for child in self.dom.descendants(id) {
            match self.dom.tag(child) {
                "dt" => {
                    let mut content = self.cell(child);
                    content.runs.iter_mut().for_each(|run| run.strong = true);
                    items.push(Item { content, children: Vec::new() });
                    spoken = false;
                }
                "dd" => {
                    let below = Item { content: self.cell(child), children: Vec::new() };
                    if let Some(last) = items.last_mut() {
                        last.children.push(below);
                    } else {
                        items.push(below);
                    }
                    spoken = true;
                }
                _ => {}
            }
        }
        if !spoken {
            items.retain(|item| !item.content.is_empty());
        }
        items
    }
}

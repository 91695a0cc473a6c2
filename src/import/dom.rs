//! HTML as browsers read it, however broken, as a tree whose nodes know their lines.
//!
//! Bounded: markup that nests too deep, or that the parser's repairs multiply, ends the reading with a refusal. Both
//! are looked at between pieces of the text, so that no page can hold the parser for long.

mod feed;

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};

use html5ever::{
    Attribute, ExpandedName, QualName,
    interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink},
    local_name, ns,
    tendril::StrTendril,
};

use super::Refusal;

/// How deep elements may nest. Pages of content systems stay below 100.
const MAX_DEPTH: u16 = 400;
/// How many nodes a page may become: ten million bytes of the densest tables are fewer.
const MAX_NODES: usize = 4_000_000;

/// A node of a [`Dom`].
pub(super) type Id = usize;

/// A page as a tree.
#[derive(Debug)]
pub(super) struct Dom {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    parent: Option<Id>,
    children: Vec<Id>,
    line: u32,
    depth: u16,
    data: Data,
}

#[derive(Debug)]
enum Data {
    Text(StrTendril),
    Element {
        name: QualName,
        attributes: Vec<Attribute>,
    },
    /// The document, comments, instructions.
    Other,
}

/// What a node is to a reader.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    /// Text.
    Text(&'a str),
    /// An element, by its local name.
    Element(&'a str),
    /// Nothing to read.
    Other,
}

impl Dom {
    /// Parses a page.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let sink = feed::parse(text)?;
        Ok(Self { nodes: sink.nodes.into_inner() })
    }

    /// The document itself.
    pub(super) const ROOT: Id = 0;

    pub(super) fn kind(&self, id: Id) -> Kind<'_> {
        match self.nodes.get(id).map(|node| &node.data) {
            Some(Data::Text(text)) => Kind::Text(text),
            Some(Data::Element { name, .. }) if name.ns == ns!(html) => Kind::Element(&name.local),
            // Drawings and formulas.
            Some(Data::Element { .. } | Data::Other) | None => Kind::Other,
        }
    }

    /// The text that a node is.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.kind(id) {
            Kind::Text(text) => Some(text),
            Kind::Element(_) | Kind::Other => None,
        }
    }

    /// The local name of an element.
    pub(super) fn tag(&self, id: Id) -> &str {
        match self.kind(id) {
            Kind::Element(tag) => tag,
            Kind::Text(_) | Kind::Other => "",
        }
    }

    pub(super) fn children(&self, id: Id) -> &[Id] {
        self.nodes.get(id).map(|node| node.children.as_slice()).unwrap_or_default()
    }

    /// The line in which the node begins, from 1.
    pub(super) fn line(&self, id: Id) -> u32 {
        self.nodes.get(id).map_or(1, |node| node.line)
    }

    pub(super) fn attribute(&self, id: Id, wanted: &str) -> Option<&str> {
        match &self.nodes.get(id)?.data {
            Data::Element { attributes, .. } => {
                attributes.iter().find(|attribute| &*attribute.name.local == wanted).map(|attribute| &*attribute.value)
            }
            Data::Text(_) | Data::Other => None,
        }
    }

    /// Everything below a node, in the order of the text.
    pub(super) fn descendants(&self, id: Id) -> impl Iterator<Item = Id> {
        let mut stack: Vec<Id> = self.children(id).iter().rev().copied().collect();
        std::iter::from_fn(move || {
            let next = stack.pop()?;
            stack.extend(self.children(next).iter().rev());
            Some(next)
        })
    }
}

/// Takes what the parser makes.
#[derive(Debug)]
struct Sink {
    nodes: RefCell<Vec<Node>>,
    line: Cell<u32>,
    deepest: Cell<(u16, u32)>,
}

impl Default for Sink {
    fn default() -> Self {
        let root = Node { parent: None, children: Vec::new(), line: 1, depth: 0, data: Data::Other };
        Self { nodes: RefCell::new(vec![root]), line: Cell::new(1), deepest: Cell::new((0, 1)) }
    }
}

/// A node of the tree in the making, with its name, which the parser asks for all the time.
#[derive(Debug, Clone)]
struct Handle {
    id: Id,
    name: QualName,
}

/// The name of what is no element.
fn no_name() -> QualName {
    QualName::new(None, ns!(), local_name!(""))
}

impl Sink {
    fn check(&self) -> Result<(), Refusal> {
        let (depth, line) = self.deepest.get();
        if depth > MAX_DEPTH {
            return Err(Refusal::new(format!(
                "line {line}: elements nest deeper than {MAX_DEPTH}: this is no page to read"
            )));
        }
        let count = self.nodes.borrow().len();
        if count > MAX_NODES {
            let line = self.line.get();
            return Err(Refusal::new(format!("line {line}: the page has more than {MAX_NODES} elements and texts")));
        }
        Ok(())
    }

    fn create(&self, data: Data) -> Handle {
        let name = match &data {
            Data::Element { name, .. } => name.clone(),
            Data::Text(_) | Data::Other => no_name(),
        };
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node { parent: None, children: Vec::new(), line: self.line.get(), depth: 0, data });
        Handle { id: nodes.len() - 1, name }
    }

    fn detach(&self, id: Id) {
        let mut nodes = self.nodes.borrow_mut();
        let Some(parent) = nodes.get_mut(id).and_then(|node| node.parent.take()) else { return };
        if let Some(parent) = nodes.get_mut(parent)
            && let Some(place) = parent.children.iter().rposition(|child| *child == id)
        {
            parent.children.remove(place);
        }
    }

    /// Puts a node or text under `parent`, at `place` among its children or behind them.
    fn insert(&self, parent: Id, place: Option<usize>, child: NodeOrText<Handle>) {
        let child = match child {
            NodeOrText::AppendNode(handle) => {
                self.detach(handle.id);
                handle.id
            }
            NodeOrText::AppendText(text) => {
                if self.extend_text(parent, place, &text) {
                    return;
                }
                self.create(Data::Text(text)).id
            }
        };
        let mut nodes = self.nodes.borrow_mut();
        let depth = nodes.get(parent).map_or(0, |node| node.depth).saturating_add(1);
        if depth > self.deepest.get().0 {
            self.deepest.set((depth, self.line.get()));
        }
        if let Some(node) = nodes.get_mut(child) {
            node.parent = Some(parent);
            node.depth = depth;
        }
        if let Some(node) = nodes.get_mut(parent) {
            let place = place.unwrap_or(node.children.len()).min(node.children.len());
            node.children.insert(place, child);
        }
    }

    /// Adds text to the text that stands right before.
    fn extend_text(&self, parent: Id, place: Option<usize>, text: &str) -> bool {
        let mut nodes = self.nodes.borrow_mut();
        let before = nodes.get(parent).and_then(|node| match place {
            Some(place) => node.children.get(place.checked_sub(1)?).copied(),
            None => node.children.last().copied(),
        });
        match before.and_then(|id| nodes.get_mut(id)).map(|node| &mut node.data) {
            Some(Data::Text(existing)) => {
                existing.push_slice(text);
                true
            }
            _ => false,
        }
    }

    fn place_of(&self, id: Id) -> Option<(Id, usize)> {
        let nodes = self.nodes.borrow();
        let parent = nodes.get(id)?.parent?;
        let place = nodes.get(parent)?.children.iter().rposition(|child| *child == id)?;
        Some((parent, place))
    }
}

impl TreeSink for Sink {
    type Handle = Handle;
    type Output = Self;
    type ElemName<'a> = ExpandedName<'a>;

    fn finish(self) -> Self {
        self
    }

    fn parse_error(&self, _msg: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        Handle { id: Dom::ROOT, name: no_name() }
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> ExpandedName<'a> {
        target.name.expanded()
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _flags: ElementFlags) -> Handle {
        self.create(Data::Element { name, attributes })
    }

    fn create_comment(&self, _text: StrTendril) -> Handle {
        self.create(Data::Other)
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> Handle {
        self.create(Data::Other)
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        self.insert(parent.id, None, child);
    }

    fn append_based_on_parent_node(&self, element: &Handle, previous: &Handle, child: NodeOrText<Handle>) {
        match self.place_of(element.id) {
            Some((parent, place)) => self.insert(parent, Some(place), child),
            None => self.insert(previous.id, None, child),
        }
    }

    fn append_doctype_to_document(&self, _name: StrTendril, _public: StrTendril, _system: StrTendril) {}

    /// Templates are not shown, so what is in them is not read; their contents need no tree of their own.
    fn get_template_contents(&self, target: &Handle) -> Handle {
        target.clone()
    }

    fn same_node(&self, x: &Handle, y: &Handle) -> bool {
        x.id == y.id
    }

    fn set_quirks_mode(&self, _mode: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &Handle, child: NodeOrText<Handle>) {
        if let NodeOrText::AppendNode(handle) = &child {
            self.detach(handle.id);
        }
        if let Some((parent, place)) = self.place_of(sibling.id) {
            self.insert(parent, Some(place), child);
        }
    }

    fn add_attrs_if_missing(&self, target: &Handle, more: Vec<Attribute>) {
        if let Some(Data::Element { attributes, .. }) =
            self.nodes.borrow_mut().get_mut(target.id).map(|node| &mut node.data)
        {
            for attribute in more {
                if !attributes.iter().any(|existing| existing.name == attribute.name) {
                    attributes.push(attribute);
                }
            }
        }
    }

    fn remove_from_parent(&self, target: &Handle) {
        self.detach(target.id);
    }

    fn reparent_children(&self, node: &Handle, parent: &Handle) {
        let children = self.nodes.borrow_mut().get_mut(node.id).map(|node| std::mem::take(&mut node.children));
        for id in children.unwrap_or_default() {
            if let Some(child) = self.nodes.borrow_mut().get_mut(id) {
                child.parent = None;
            }
            self.insert(parent.id, None, NodeOrText::AppendNode(Handle { id, name: no_name() }));
        }
    }

    fn set_current_line(&self, line: u64) {
        self.line.set(u32::try_from(line).unwrap_or(u32::MAX));
    }
}

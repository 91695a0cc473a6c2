//! The Atom feed, by the rules of RFC 4287, with another parser than the one that wrote it.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use super::{LIST, acme, announce, get, joins, newcomer};
use crate::support::{Server, both};

const ATOM: &str = "http://www.w3.org/2005/Atom";

async fn feed(server: &Server) -> String {
    let answer = get(server, &format!("{LIST}/feed.atom")).await;
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/atom+xml; charset=utf-8"));
    answer.body
}

fn children<'a>(node: Node<'a, 'a>, name: &'a str) -> Vec<Node<'a, 'a>> {
    node.children().filter(|child| child.has_tag_name((ATOM, name))).collect()
}

fn text<'a>(node: Node<'a, 'a>, name: &'a str) -> &'a str {
    let [one] = children(node, name).try_into().unwrap_or_else(|all: Vec<_>| panic!("{} of {name}", all.len()));
    Node::text(&one).unwrap_or_default()
}

fn links(node: Node<'_, '_>) -> Vec<(String, String)> {
    let all = node.children().filter(|child| child.has_tag_name((ATOM, "link")));
    let of = |link: Node<'_, '_>, name: &str| link.attribute(name).unwrap_or_default().to_owned();
    all.map(|link| (of(link, "rel"), of(link, "href"))).collect()
}

/// Ids and times of all entries, in order, after everything that the standard asks of them was seen.
fn entries(feed: &str) -> Vec<(String, String, String)> {
    let document = Document::parse(feed).expect("XML");
    let root = document.root_element();
    assert!(root.has_tag_name((ATOM, "feed")));
    // 4.1.1: one id, title, updated; an author; one self link.
    assert!(text(root, "id").starts_with("urn:uuid:") && text(root, "title") == "Sub-processors of Acme");
    assert_eq!(text(children(root, "author")[0], "name"), "Acme");
    let links_of_feed = links(root);
    assert_eq!(links_of_feed[0], ("self".to_owned(), format!("{LIST}/feed.atom")));
    assert_eq!(links_of_feed[1], ("alternate".to_owned(), LIST.to_owned()));
    let mut found = Vec::new();
    let mut ids = BTreeSet::new();
    for entry in children(root, "entry") {
        // 4.1.2: one id, title, updated; content or an alternate link. 4.2.6: the id is an IRI, and no other entry's.
        let (id, updated) = (text(entry, "id").to_owned(), text(entry, "updated").to_owned());
        assert!(id.starts_with("urn:uuid:") && ids.insert(id.clone()), "{id}");
        assert!(updated.parse::<jiff::Timestamp>().is_ok(), "{updated}");
        assert_eq!(children(entry, "content")[0].attribute("type"), Some("html"));
        assert!(links(entry).iter().any(|(rel, href)| rel == "alternate" && href.starts_with(LIST)));
        found.push((text(entry, "title").to_owned(), id, updated));
    }
    let times: Vec<&String> = found.iter().map(|(_, _, updated)| updated).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    if let Some((_, _, newest)) = found.first() {
        assert_eq!(text(root, "updated"), newest);
    }
    found
}

both! {
    async fn the_feed_has_what_was_announced_and_what_changed_under_ids_that_stay(backend: Backend) {
        let (place, mut server) = acme(backend).await;
        let first = entries(&feed(&server).await);
        let titles: Vec<&str> = first.iter().map(|(title, ..)| title.as_str()).collect();
        assert_eq!(titles, ["The list on 1 July 2022: 1 left", "The list on 1 May 2021: 1 joined", "The list on 1 January 2019: 1 joined", "The list on 1 January 2018: 1 joined"]);
        let notice = announce(&mut server, "n", joins("Newcomer joins", newcomer())).await;
        let told = entries(&feed(&server).await);
        assert_eq!((told[0].0.as_str(), &told[0].1), ("Newcomer joins", &format!("urn:uuid:{}", notice.uid)));
        assert_eq!(told[1..], first[..]);
        // It takes effect, which this server finds out days later: the same entry is updated, and the list has another day.
        place.set_clock("2026-05-01T00:00:00Z");
        let effective = entries(&feed(&server).await);
        assert_eq!(effective.len(), told.len() + 1);
        let same = effective.iter().find(|(_, id, _)| *id == told[0].1).expect("the same entry");
        assert!(same.2 > told[0].2, "{same:?}");
        assert!(effective.iter().any(|(title, ..)| title.ends_with("1 joined") && title.contains("1 May 2026")), "{effective:?}");
        // Another server on the same data says the same.
        let other = Server::start(&place).await;
        assert_eq!(entries(&feed(&other).await), effective);
    }
}

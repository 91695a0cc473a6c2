//! What is published can be imported, and is then published again as it was.

use std::collections::{BTreeSet, HashMap};

use subprocessor_registry::{
    import::{self, Known, Options},
    rules::{publication::Publication, vendor_name::Index},
};

use super::{LIST, acme, get};
use crate::support::{Server, apply, both};

/// What `import` makes of a published list without a server.
fn imported(text: &str) -> import::Imported {
    let index = Index::of(&[]);
    let options = Options { file: "subprocessors.json".into(), ..Options::default() };
    let list = import::read(text.as_bytes(), &options, &index).expect("a list");
    let known = Known {
        organization: "copy".into(),
        document: "list".into(),
        matches: HashMap::new(),
        vendor_ids: BTreeSet::new(),
        today: "2026-03-23".into(),
        ..Known::default()
    };
    list.assemble(&known).expect("a manifest")
}

async fn of(server: &Server, organization: &str) -> Publication {
    let answer = get(server, &format!("/organizations/{organization}/subprocessors.json")).await;
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

both! {
    async fn an_imported_list_is_published_as_it_was(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let text = get(&server, &format!("{LIST}/subprocessors.json")).await.body;
        let made = imported(&text);
        assert!(made.report.notes.iter().any(|note| note.text.contains("what transfers rest on")), "{:?}", made.report);
        assert_eq!((made.report.rows_in, made.report.rows_out), (2, 2));
        apply(&mut server, &made.manifest).await.unwrap_or_else(|error| panic!("{error}\n{}", made.manifest));
        let (mut original, mut copy) = (of(&server, "acme").await, of(&server, "copy").await);
        assert_eq!((copy.organization.name.as_str(), copy.organization.legal_name.as_str()), ("Acme", "Acme GmbH"));
        assert_eq!(copy.organization.products, original.organization.products);
        for list in [&mut original, &mut copy] {
            for one in &mut list.subprocessors {
                // Papers are not proved by a list, and a vendor has the id that this registry gave it.
                one.mechanisms.clear();
                one.vendor = None;
            }
        }
        assert_eq!(copy.subprocessors, original.subprocessors);
    }
}

#[test]
fn what_only_looks_like_a_list_is_refused_or_read_as_any_data() {
    let index = Index::of(&[]);
    let read = |text: &str| {
        let options = Options { file: "x.json".into(), ..Options::default() };
        import::read(text.as_bytes(), &options, &index).map(|_| ()).map_err(|refusal| refusal.message)
    };
    let newer = r#"{"schema_version": "2.0", "organization": {}, "subprocessors": []}"#;
    assert!(read(newer).expect_err("refused").contains("version 2.0"));
    let lists = r#"{"schema_version": "1.0", "lists": [{"organization": {"id": "a", "name": "A"}, "links": {"page": "/a", "json": "/a.json"}}]}"#;
    assert!(read(lists).expect_err("refused").contains("/a.json"));
    let loose = r#"{"schema_version": "1.0", "organization": {"name": "A"}, "subprocessors": [{"name": "Acme Inc.", "purpose": "Hosting", "location": "Germany"}, {"name": "Blue Inc.", "purpose": "Mail", "location": "France"}]}"#;
    read(loose).expect("read as data");
}

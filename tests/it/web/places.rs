//! Where lists are found by programs: the well-known address, the schema, addresses behind a proxy.

use serde_json::Value as Json;

use super::{LIST, MANIFEST, acme, acme_with, get};
use crate::support::{apply, both};

both! {
    async fn the_well_known_address_has_the_list_or_says_where_the_lists_are(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let own = get(&server, &format!("{LIST}/.well-known/subprocessors.json")).await;
        assert_eq!((own.status, own.headers["content-type"].as_str()), (200, "application/json"));
        // One organization: its list.
        assert_eq!(get(&server, "/.well-known/subprocessors.json").await.body, own.body);
        assert_eq!(get(&server, &format!("{LIST}/subprocessors.json")).await.body, own.body);
        // Several: where their lists are. Who publishes nothing is not named.
        apply(&mut server, "organization: {id: quiet, display_name: Hidden Quiet}").await.expect("applied");
        apply(&mut server, "organization: {id: other, display_name: Other}\nsubprocessors: [{id: x, display_name: X, listed: true, recorded_as_found: true, state: ACTIVE}]").await.expect("applied");
        let index = get(&server, "/.well-known/subprocessors.json").await;
        let index: Json = serde_json::from_str(&index.body).expect("JSON");
        let ids: Vec<&str> = index["lists"].as_array().expect("lists").iter().filter_map(|one| one["organization"]["id"].as_str()).collect();
        assert_eq!(ids, ["acme", "other"]);
        assert_eq!(index["lists"][1]["links"]["json"], "/organizations/other/subprocessors.json");
        let schema = get(&server, "/schemas/subprocessors.json").await;
        assert_eq!(schema.headers["content-type"], "application/schema+json");
        let schema: Json = serde_json::from_str(&schema.body).expect("JSON");
        assert!(schema["$defs"]["Publication"]["required"].as_array().is_some_and(|all| all.len() == 7), "{schema:#}");
    }

    async fn links_begin_with_the_public_address(backend: Backend) {
        let (_place, server) = acme_with(backend, MANIFEST, &[("WEB__PUBLIC_URL", "https://trust.example.com/lists")]).await;
        let list: Json = serde_json::from_str(&get(&server, &format!("{LIST}/subprocessors.json")).await.body).expect("JSON");
        assert_eq!(list["$schema"], "https://trust.example.com/lists/schemas/subprocessors.json");
        assert_eq!(list["links"]["feed"], "https://trust.example.com/lists/organizations/acme/feed.atom");
        let feed = get(&server, &format!("{LIST}/feed.atom")).await.body;
        assert!(feed.contains("href=\"https://trust.example.com/lists/organizations/acme/feed.atom\""), "{feed}");
        // Within a page a browser stays where it is.
        let page = get(&server, LIST).await.body;
        assert!(page.contains("href=\"/lists/assets/style-") && page.contains("href=\"/lists/organizations/acme/history\""), "{page}");
        assert!(!page.contains("https://trust.example.com"), "{page}");
    }
}

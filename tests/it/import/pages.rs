//! Every page of tests/data/pages against the file beside it.

use serde_json::Value as Json;

use super::expected::{differences, folder, import, manifest_of, rows_of, yaml};
use crate::support::{Place, Server, apply, both, subprocessors_of};

/// How many pages there were when the collection was finished: none gets lost.
const MIN_PAGES: usize = 55;

/// The pages with what each must come to.
fn pages() -> Vec<(String, Vec<u8>, Json)> {
    let mut pages = Vec::new();
    for folder in [folder(), folder().join("invented")] {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if let Some(page) = name.strip_suffix(".expected.yaml") {
                let bytes = std::fs::read(folder.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
                pages.push((page.to_owned(), bytes, yaml(&path)));
            }
        }
    }
    pages.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(pages.len() >= MIN_PAGES, "{} pages", pages.len());
    pages
}

#[test]
fn every_page_comes_to_what_it_says() {
    let mut wrong = Vec::new();
    for (page, bytes, expected) in pages() {
        let rows = expected["rows"].as_array().cloned().unwrap_or_default();
        match import(&page, &bytes) {
            Err(refusal) if expected["expect"] == "NO_LIST_FOUND" => {
                assert!(refusal.message.starts_with("no list of subprocessors was found"), "{page}: {refusal}");
            }
            Err(refusal) => wrong.push(format!("{page}: {refusal}")),
            Ok(_) if expected["expect"] == "NO_LIST_FOUND" => wrong.push(format!("{page}: rows were invented")),
            Ok(imported) => {
                let got = rows_of(&imported);
                if got.len() != rows.len() {
                    wrong.push(format!("{page}: {} rows, not {}", got.len(), rows.len()));
                }
                for (index, (row, expected)) in got.iter().zip(&rows).enumerate() {
                    wrong.extend(
                        differences(row, expected).into_iter().map(|text| format!("{page}, row {index}: {text}")),
                    );
                }
                let report = &imported.report;
                let accounted = report.rows_out + report.merged.len() + report.refused.len();
                if report.rows_in != accounted || report.rows_out != got.len() {
                    wrong.push(format!("{page}: {} rows in, {accounted} accounted for", report.rows_in));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_page_always_gives_the_same_manifest() {
    for (page, bytes, _) in pages() {
        let (Ok(one), Ok(two)) = (import(&page, &bytes), import(&page, &bytes)) else { continue };
        assert_eq!(one.manifest, two.manifest, "{page}");
    }
}

both! {
    async fn every_page_applies_to_a_registry(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        for (number, (page, bytes, expected)) in pages().into_iter().enumerate() {
            let Ok(imported) = import(&page, &bytes) else { continue };
            let id = format!("org-{number}");
            let text = imported.manifest.replace("organizations/acme/", &format!("organizations/{id}/")).replacen("id: acme", &format!("id: {id}"), 1);
            let before = server.revision().await;
            let applied = apply(&mut server, &text).await.unwrap_or_else(|status| panic!("{page}: {status:?}"));
            assert_eq!(applied.revision, before + 1, "{page}");
            let again = apply(&mut server, &text).await.expect("applied");
            assert_eq!((again.revision, again.plan.len()), (before + 1, 0), "{page}");
            let rows = subprocessors_of(&mut server, &format!("organizations/{id}")).await;
            assert_eq!(rows.len(), expected["rows"].as_array().map_or(0, Vec::len), "{page}");
            let manifest = manifest_of(&imported);
            assert_eq!(manifest.documents.len(), 1, "{page}");
        }
    }
}

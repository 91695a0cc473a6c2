//! Lists as they are really published, entered as they are: names only, categories for names, several rows for one
//! vendor, countries of companies in place of countries of processing.

use subprocessor_registry::proto::v1::{self, location::Activity, subprocessor::State};

use crate::support::{Place, Server, apply, both, subprocessors_of};

const LISTS: [(&str, &str, usize); 4] = [
    ("cryptlex", include_str!("../../data/manifests/cryptlex.yaml"), 6),
    ("omnirouters", include_str!("../../data/manifests/omnirouters-categories.yaml"), 6),
    ("aspose", include_str!("../../data/manifests/aspose.yaml"), 4),
    ("github", include_str!("../../data/manifests/github.yaml"), 30),
];

async fn rows(server: &mut Server, organization: &str) -> Vec<v1::Subprocessor> {
    subprocessors_of(server, &format!("organizations/{organization}")).await
}

both! {
    async fn four_lists_are_entered(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        for (organization, text, count) in LISTS {
            let before = server.revision().await;
            let applied = apply(&mut server, text).await.unwrap_or_else(|status| panic!("{organization}: {status:?}"));
            assert_eq!(applied.revision, before + 1);
            let again = apply(&mut server, text).await.expect("applied");
            assert_eq!((again.revision, again.plan.len()), (before + 1, 0), "{organization}");
            let list = rows(&mut server, organization).await;
            assert_eq!(list.len(), count, "{organization}");
            assert!(list.iter().all(|row| row.state() == State::Active && row.start_date.is_empty() && row.recorded_as_found));
            // Without dates of their own they are on the list of every day.
            for day in ["1999-12-31", "2026-03-23", "2099-01-01"] {
                let request = v1::ListSubprocessorsRequest {
                    parent: format!("organizations/{organization}"), effective_at: day.into(), page_size: 100, ..Default::default()
                };
                let on_the_day = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
                assert_eq!(on_the_day.subprocessors, list, "{organization} on {day}");
            }
        }

        let names_only = rows(&mut server, "cryptlex").await;
        assert!(names_only.iter().all(|row| row.purposes.is_empty() && row.locations.is_empty() && !row.vendor.is_empty()));

        let categories = rows(&mut server, "omnirouters").await;
        assert!(categories.iter().all(|row| row.vendor.is_empty() && !row.incomplete_reason.is_empty()));
        let payment = categories.iter().find(|row| row.display_name == "Payment and fraud tools").expect("a category");
        assert_eq!(payment.data_categories, ["order information", "payment status", "transaction references"]);
        assert_eq!(payment.section, "2. Common Categories");

        let companies = rows(&mut server, "aspose").await;
        let aws: Vec<_> = companies.iter().filter(|row| row.vendor == "vendors/aws").map(|row| row.display_name.as_str()).collect();
        assert_eq!(aws, ["Amazon Route 53 (AWS)", "Amazon Web Services, Inc."]);
        assert!(companies.iter().flat_map(|row| &row.locations).all(|place| place.activity() == Activity::Corporate));

        let azure: Vec<_> = rows(&mut server, "github").await.into_iter().filter(|row| row.display_name == "Microsoft (Azure)").collect();
        assert_eq!(azure.len(), 2);
        assert_eq!(azure[0].vendor, azure[1].vendor);
        assert_ne!(azure[0].purposes, azure[1].purposes);
        let affiliates = v1::ListSubprocessorsRequest {
            parent: "organizations/-".into(), filter: "purposes:\"GitHub Subsidiary\"".into(), ..Default::default()
        };
        let affiliates = server.subprocessors.list_subprocessors(affiliates).await.expect("listed").into_inner();
        assert_eq!(affiliates.subprocessors.iter().filter(|row| row.affiliate == Some(true)).count(), 7);
        // Across all four lists: who engages AWS?
        let request = v1::ListSubprocessorsRequest {
            parent: "organizations/-".into(), filter: "vendor = \"vendors/aws\"".into(), ..Default::default()
        };
        let aws = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
        let by: Vec<_> = aws.subprocessors.iter().filter_map(|row| row.name.split('/').nth(1)).collect();
        assert_eq!(by, ["aspose", "aspose", "cryptlex", "github"]);
    }
}

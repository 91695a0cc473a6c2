//! Lists walk past what was erased: to the end, and over everything that is left, in any order.

use subprocessor_registry::proto::v1;

use crate::support::{both, fresh, organization, subprocessor, vendor};

const LIST: &str = "organizations/acme";

both! {
    async fn pages_go_on_after_erased_versions(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, LIST.trim_start_matches("organizations/")).await;
        vendor(&mut server, "big").await;
        let mut names = Vec::new();
        for (number, day) in ["2020-01-01", "", "2021-01-01", "2022-01-01"].into_iter().enumerate() {
            place.set_clock(&format!("2026-04-0{}T00:00:00Z", number + 1));
            let message = v1::Subprocessor {
                display_name: format!("Row {number}"),
                vendor: "vendors/big".into(),
                start_date: day.into(),
                recorded_as_found: true,
                ..Default::default()
            };
            names.push(subprocessor(&mut server, LIST, &format!("row-{number}"), message).await.expect("created").name);
        }
        let revision = server.revision().await;
        // The first, one in the middle and the last of every order are changed, and what they were is erased.
        for name in [&names[0], &names[2], &names[3]] {
            let message = v1::Subprocessor { name: name.clone(), section: "S".into(), ..Default::default() };
            let update = v1::UpdateSubprocessorRequest { subprocessor: Some(message), ..Default::default() };
            server.subprocessors.update_subprocessor(update).await.expect("updated");
            let erase = v1::ErasePersonalDataRequest { name: name.clone(), reason: "asked".into(), ..Default::default() };
            server.log.erase_personal_data(erase).await.expect("erased");
        }
        for field in ["name", "display_name", "start_date", "end_date", "create_time", "update_time"] {
            for direction in ["", " desc"] {
                let mut request = v1::ListSubprocessorsRequest {
                    parent: LIST.into(),
                    page_size: 1,
                    order_by: format!("{field}{direction}"),
                    as_of: Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(revision)) }),
                    ..Default::default()
                };
                let mut seen = Vec::new();
                for _ in 0..names.len() {
                    let page = server.subprocessors.list_subprocessors(request.clone()).await.expect("a page").into_inner();
                    seen.extend(page.subprocessors.into_iter().map(|row| row.name));
                    request.page_token = page.next_page_token;
                    if request.page_token.is_empty() {
                        break;
                    }
                }
                assert_eq!(request.page_token, "", "{field}{direction} does not end");
                assert_eq!(seen, [names[1].as_str()], "{field}{direction}");
            }
        }
    }
}

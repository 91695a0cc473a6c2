//! What pages do not answer, in plain words; and the headers of everything.

use subprocessor_registry::proto::v1;

use super::{LIST, MANIFEST, acme, acme_with, announce, get, joins, newcomer};
use crate::support::{ask, both, refused};
use tonic::Code;

/// Every page kind.
const ALL: [&str; 12] = [
    "/organizations/acme",
    "/organizations/acme/history",
    "/organizations/acme/notices/none",
    "/organizations/acme/feed.atom",
    "/organizations/acme/subprocessors.json",
    "/organizations/acme/subprocessors.csv",
    "/organizations/acme/subprocessors.md",
    "/organizations/acme/logo",
    "/.well-known/subprocessors.json",
    "/schemas/subprocessors.json",
    "/assets/icon.svg",
    "/nothing/here",
];

both! {
    async fn what_cannot_be_answered_is_said_in_plain_words(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let long = format!("?q={}", "x".repeat(201));
        let endless = format!("?q={}", "x".repeat(5_000));
        for (query, said) in [
            ("?q=a&q=b", "q: is given twice"),
            ("?date=soon", "date: "),
            ("?date=2026-02-30", "date: "),
            ("?as_of=soon", "as_of: "),
            ("?as_of=99999", "revision 99999 is in the future"),
            ("?as_of=2030-01-01", "is in the future"),
            (&long, "q: has more than 200 characters"),
            (&endless, "query: has "),
        ] {
            let answer = get(&server, &format!("{LIST}{query}")).await;
            assert!(answer.status == 400 && answer.body.contains(said), "{query}: {answer:?}");
            assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
        }
        // What was asked drives no terminal.
        for path in ["", "/subprocessors.json", "/subprocessors.csv"] {
            let answer = get(&server, &format!("{LIST}{path}?date=%1b%5b31mx")).await;
            assert!(answer.status == 400 && !answer.body.contains('\u{1b}') && answer.body.contains("[31mx"), "{answer:?}");
        }
        // All that is wrong at once.
        let answer = get(&server, &format!("{LIST}?as_of=y&date=x")).await;
        assert!(answer.body.contains("as_of: ") && answer.body.contains("date: "), "{answer:?}");
        let answer = get(&server, &format!("{LIST}/subprocessors.json?colour=red&date=x")).await;
        assert!(answer.body.contains("colour: is not offered here; there are date, as_of") && answer.body.contains("date: "), "{answer:?}");
        for page in ["0", "-1", "x", "99999999999999999999"] {
            assert_eq!(get(&server, &format!("{LIST}/history?page={page}")).await.status, 400, "{page}");
        }
        for path in ["/organizations/none", "/organizations/Acme", "/organizations/a%2Fb", "/organizations/acme/notices/..", "/organizations/none/feed.atom", "/organizations/none/subprocessors.json", "/organizations/acme/logo", "/assets/other.css", "/assets/accent-zzzzzz.css", "/"] {
            assert_eq!(get(&server, path).await.status, 404, "{path}");
        }
        // For programs as text, for people as a page.
        let answer = get(&server, "/organizations/none/subprocessors.json").await;
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let answer = ask(&server, method, LIST, &[("Content-Length", "0")]).await;
            assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET, HEAD"), "{method}");
            assert!(answer.body.contains("This is not done here"), "{answer:?}");
        }
        // A page dies with its organization, and with it whatever was kept of it.
        let before = server.revision().await;
        let request = v1::DeleteOrganizationRequest { name: "organizations/acme".into(), ..Default::default() };
        refused(server.organizations.delete_organization(request).await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        assert_eq!(get(&server, &format!("{LIST}?as_of={before}")).await.status, 200);
    }

    async fn a_link_that_others_have_written_more_into_leads_to_the_same_page(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        announce(&mut server, "n", joins("Newcomer joins", newcomer())).await;
        for path in ["", "/history", "/notices/n", "/subprocessors.json", "/subprocessors.csv", "/subprocessors.md", "/feed.atom"] {
            let plain = get(&server, &format!("{LIST}{path}")).await;
            let counted = get(&server, &format!("{LIST}{path}?utm_source=newsletter&utm_source=twice&fbclid=x")).await;
            assert_eq!((counted.status, &counted.body), (200, &plain.body), "{path}");
            // A typing error must not give a program another list than the one that it meant.
            let strange = get(&server, &format!("{LIST}{path}?foo=1")).await;
            assert_eq!(strange.status, if path.contains('.') { 400 } else { 200 }, "{path}");
        }
        for (path, place) in [
            ("/", "../acme"),
            ("/?date=2020-01-01", "../acme?date=2020-01-01"),
            ("//", "../../acme"),
            ("/history/", "../history"),
            ("/notices/n/", "../n"),
            ("/subprocessors.json/?as_of=1", "../subprocessors.json?as_of=1"),
        ] {
            let answer = get(&server, &format!("{LIST}{path}")).await;
            assert_eq!((answer.status, answer.headers.get("location").map(String::as_str)), (308, Some(place)), "{path}");
        }
    }

    async fn a_page_that_says_no_leads_back_to_the_list(backend: Backend) {
        let (_place, server) = acme_with(backend, MANIFEST, &[("WEB__PUBLIC_URL", "https://trust.example.com/lists")]).await;
        for (path, status) in [("?date=x", 400), ("/history?page=x", 400), ("/notices/none", 404), ("/nothing/here", 404), ("/subscribe", 404)] {
            let answer = get(&server, &format!("{LIST}{path}")).await;
            assert_eq!(answer.status, status, "{path}");
            assert!(answer.body.contains("<a href=\"/lists/organizations/acme\">The list of sub-processors</a>"), "{path}: {answer:?}");
            assert!(answer.body.contains("href=\"/lists/assets/style-"), "{path}: {answer:?}");
        }
        // Of whom there is no list there is no way to it.
        for path in ["/organizations/none", "/organizations/none/history", "/organizations/none/x/y"] {
            let answer = get(&server, path).await;
            assert!(answer.status == 404 && !answer.body.contains("The list of sub-processors"), "{path}: {answer:?}");
            assert!(answer.body.contains("href=\"/lists/assets/style-"), "{path}: {answer:?}");
        }
        let file = get(&server, &format!("{LIST}/nothing.json")).await;
        assert_eq!((file.status, file.headers["content-type"].as_str()), (404, "text/plain; charset=utf-8"));
    }

    async fn browsers_are_told_to_make_nothing_of_it_but_show_it(backend: Backend) {
        let (_place, server) = acme(backend).await;
        for path in ALL {
            let answer = get(&server, path).await;
            let policy = answer.headers["content-security-policy"].as_str();
            assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors"), "{path}: {policy}");
            if answer.headers["content-type"].starts_with("text/html") {
                assert_eq!(policy, "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
            } else {
                assert!(policy.contains("sandbox"), "{path}: {policy}");
            }
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(answer.headers[name], value, "{path}");
            }
            assert!(answer.headers.contains_key("permissions-policy"), "{path}");
        }
    }

    async fn a_page_looks_as_the_organization_says_if_that_can_be_read(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let update = |page: v1::PublicPage| v1::UpdateOrganizationRequest {
            organization: Some(v1::Organization { name: "organizations/acme".into(), page: Some(page), ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["page".into()] }),
            ..Default::default()
        };
        let bad = v1::PublicPage { accent_color: "#ffff00".into(), contact_email: "x".into(), contact_uri: "javascript:alert(1)".into(), logo: b"GIF89a".to_vec(), ..Default::default() };
        let answer = server.organizations.update_organization(update(bad)).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["organization.page.contact_uri", "organization.page.contact_email", "organization.page.accent_color", "organization.page.logo"]);
        let logo = br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#.to_vec();
        let good = v1::PublicPage { title: "Our helpers".into(), accent_color: "#8a0f0f".into(), logo, logo_text: "A bird".into(), ..Default::default() };
        server.organizations.update_organization(update(good)).await.expect("updated");
        let page = get(&server, LIST).await.body;
        assert!(page.contains("<h1><bdi>Our helpers</bdi></h1>") && page.contains("alt=\"A bird\""), "{page}");
        let style = page.split("/assets/accent-").nth(1).expect("a style sheet");
        let style = get(&server, &format!("/assets/accent-{}", &style[..10])).await;
        assert!(style.body.contains("--accent: #8a0f0f") && style.headers["cache-control"].contains("immutable"), "{style:?}");
        let logo = get(&server, &format!("{LIST}/logo")).await;
        assert_eq!((logo.status, logo.headers["content-type"].as_str()), (200, "image/svg+xml"));
        assert_eq!(logo.headers["content-security-policy"], "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox");
    }
}

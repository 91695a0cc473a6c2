//! The timeline of transfers' cover: over HTTP, and what the picture shows.

use subprocessor_registry::proto::v1::{self, certification::Status as Participation};

use crate::support::{Answer, Backend, Place, Server, apply, ask, both};

const WITH_CATALOG: &[(&str, &str)] = &[("CATALOG__LOAD", "true")];
const PAGE: &str = "/internal/organizations/acme/timeline.svg";

/// A transfer that rested on Privacy Shield, then on clauses, then on nothing, then on the framework.
const MANIFEST: &str = "\
organization: {id: acme, display_name: 'Acme <&> Co', regimes: [EU_GDPR], region_code: DE}
subprocessors:
  - {id: mail, vendor: vendors/mailchimp, display_name: '</title><script>alert(1)</script>', recorded_as_found: true, state: ACTIVE, start_date: '2017-01-01', locations: [{region_code: US}]}
  - {id: keys, vendor: vendors/keycdn, display_name: KeyCDN, recorded_as_found: true, state: ACTIVE, locations: [{region_code: CH}]}
  - {id: call, vendor: vendors/twilio, display_name: Calls, recorded_as_found: true, state: ACTIVE, start_date: '2024-01-01', locations: [{region_code: IN}]}
transfers:
  - id: mail-us
    regime: EU_GDPR
    exporter: customers
    exporter_area: EU
    importer: organizations/acme/subprocessors/mail
    destination_region_codes: [US]
    start_date: '2017-01-01'
    mechanisms:
      - {instrument: instruments/eu-us-dpf}
      - {instrument: instruments/eu-us-privacy-shield}
      - {instrument: instruments/eu-scc-2010-87, precedence: 1, sign_date: '2018-05-25'}
";

async fn acme(backend: Backend) -> (Place, Server) {
    let place = Place::new(backend).await;
    let mut server = Server::start_with(&place, WITH_CATALOG).await;
    for (framework, start, end) in
        [("eu-us-privacy-shield", "2016-11-01", ""), ("eu-us-dpf", "2023-09-01", "2025-09-01")]
    {
        let certification = v1::Certification {
            framework: format!("instruments/{framework}"),
            status: Participation::Active.into(),
            start_date: start.into(),
            end_date: end.into(),
            ..Default::default()
        };
        let request = v1::CreateCertificationRequest {
            parent: "vendors/mailchimp".into(),
            certification: Some(certification),
            ..Default::default()
        };
        server.mechanisms.create_certification(request).await.expect("created");
    }
    apply(&mut server, MANIFEST).await.expect("applied");
    (place, server)
}

async fn get(server: &Server, query: &str) -> Answer {
    ask(server, "GET", &format!("{PAGE}{query}"), &[]).await
}

/// The texts of all elements of a name.
fn all(svg: &str, element: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    let nodes = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", element)));
    nodes.map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

/// The places of the rectangles with a tooltip that begins so.
fn bars(svg: &str, tooltip: &str) -> Vec<(f64, f64, String)> {
    let document = roxmltree::Document::parse(svg).expect("XML");
    let rects = document.descendants().filter(|node| node.has_tag_name("rect"));
    let told = rects.filter_map(|node| {
        let title = node.children().find(|child| child.has_tag_name("title"))?.text()?;
        let number = |name: &str| node.attribute(name).and_then(|text| text.parse::<f64>().ok());
        let place = (number("x")?, number("width")?, node.attribute("fill").unwrap_or_default().to_owned());
        title.starts_with(tooltip).then_some(place)
    });
    told.collect()
}

both! {
    async fn the_picture_shows_what_the_law_says(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let revision = server.revision().await;
        let answer = get(&server, "?from=2016-01-01&to=2027-12-31").await;
        assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "image/svg+xml; charset=utf-8"), "{answer:?}");
        let svg = answer.body;
        assert_eq!(all(&svg, "title")[0], "Cover of the transfers of Acme <&> Co");
        assert_eq!(
            all(&svg, "desc")[0],
            format!("2016-01-01 to 2027-12-31, as of revision {revision}. 3 transfers; on 2026-03-23, 2 are not covered.")
        );
        assert!(all(&svg, "script").is_empty() && all(&svg, "image").is_empty(), "nobody's name is an element");
        let texts = all(&svg, "text");
        assert!(texts.iter().any(|text| text == "today, 2026-03-23"), "{texts:?}");
        assert!(texts.iter().any(|text| text.starts_with("customers → </title>")), "{texts:?}");
        assert!(texts.iter().any(|text| text == "EU GDPR, to United States (US)"), "{texts:?}");
        assert!(texts.iter().any(|text| text == "2020") && texts.iter().any(|text| text == "eu-scc-2010-87 (fallback)"), "{texts:?}");
        // What is not covered today comes first.
        let names: Vec<&String> = texts.iter().filter(|text| text.contains(" → ")).collect();
        assert!(names[2].contains("KeyCDN"), "{names:?}");
        // The same days as AssessTransfers, in the same places.
        let range = v1::AssessTransfersRequest {
            parent: "organizations/acme/transfers/mail-us".into(),
            from_date: "2016-01-01".into(),
            to_date: "2027-12-31".into(),
            ..Default::default()
        };
        let said = server.mechanisms.assess_transfers(range).await.expect("answers").into_inner().assessments;
        let days = |from: &str, to: &str| {
            let day = |text: &str| text.parse::<jiff::civil::Date>().expect("a day");
            f64::from((day(to) - day(from)).get_days())
        };
        let scale = (1360.0 - 330.0 - 28.0) / days("2016-01-01", "2028-01-01");
        let drawn = bars(&svg, "customers → ");
        let (mut first, mut place) = (String::new(), 0);
        for (number, one) in said.iter().enumerate() {
            if first.is_empty() {
                first.clone_from(&one.from_date);
            }
            // Neighbours with the same verdict can be one bar.
            let next = said.get(number + 1);
            let (x, width, fill) = &drawn[place];
            if next.is_none_or(|next| (x + width) < 330.0 + scale * days("2016-01-01", &next.from_date) + 0.2) {
                assert!((x - (330.0 + scale * days("2016-01-01", &first))).abs() < 0.2, "{one:?}: {drawn:?}");
                assert!((width - scale * days(&first, &one.end_date)).abs() < 0.2, "{one:?}: {drawn:?}");
                let expected = match one.verdict() {
                    v1::Verdict::Valid => "#0f5c43",
                    v1::Verdict::MissingTia => "url(#tia)",
                    _ => "url(#gap)",
                };
                assert_eq!(fill, expected, "{one:?}");
                (first, place) = (String::new(), place + 1);
            }
        }
        assert_eq!(place, drawn.len(), "{drawn:?}");
        assert!(drawn.iter().any(|(.., fill)| fill == "url(#gap)"), "{drawn:?}");
        assert!(bars(&svg, "eu-scc-2010-87 (fallback): VALID, while another carries").iter().any(|(.., fill)| fill == "url(#waits)"));
        // A gap can be told by its pattern, and a decision needs no papers.
        assert!(svg.contains(r#"<pattern id="gap""#));
        assert!(all(&svg, "text").iter().any(|text| text.contains("adequacy, no papers needed")));
    }

    async fn a_page_is_as_old_as_its_revision(backend: Backend) {
        let (place, mut server) = acme(backend).await;
        let answer = get(&server, "").await;
        let tag = answer.headers["etag"].clone();
        assert!(answer.body.contains("2016-03-23 to 2028-03-23"), "ten years back, two ahead");
        for (name, value) in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'self'; sandbox"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(answer.headers[name], value);
        }
        let head = ask(&server, "HEAD", PAGE, &[]).await;
        assert_eq!((head.status, head.body.as_str(), &head.headers["etag"]), (200, "", &tag));
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".into()] {
            let again = ask(&server, "GET", PAGE, &[("If-None-Match", &known)]).await;
            assert_eq!((again.status, again.body.as_str(), &again.headers["etag"]), (304, "", &tag), "{known}");
        }
        for query in ["?from=2020-01-01", "?to=2027-01-01", "?as_of=2"] {
            let other = ask(&server, "GET", &format!("{PAGE}{query}"), &[("If-None-Match", &tag)]).await;
            assert_ne!(other.status, 304, "{query}");
        }
        let before = server.revision().await;
        apply(&mut server, &MANIFEST.replace("Calls", "Telephony")).await.expect("applied");
        let changed = ask(&server, "GET", PAGE, &[("If-None-Match", &tag)]).await;
        assert_eq!(changed.status, 200);
        assert!(changed.body.contains("Telephony"));
        let then = get(&server, &format!("?as_of={before}")).await;
        assert!(then.body.contains("Calls") && !then.body.contains("Telephony"));
        assert_eq!(then.body, answer.body);
        // Today's line moves with the day.
        let tag = changed.headers["etag"].clone();
        place.set_clock("2026-03-24T00:00:00Z");
        assert_eq!(ask(&server, "GET", PAGE, &[("If-None-Match", &tag)]).await.status, 200);
    }

    async fn refusals_are_plain(backend: Backend) {
        let (_place, server) = acme(backend).await;
        for (query, status, words) in [
            ("?from=2026-02-30", 400, "from: must be an ISO 8601 date"),
            ("?from=2020-01-01&to=2019-01-01", 400, "to_date: is before from_date"),
            ("?from=1900-01-01", 400, "at most 100 years"),
            ("?as_of=soon", 400, "as_of: must be a revision, or a time"),
            ("?as_of=-1", 400, "as_of.revision: must not be negative"),
            ("?as_of=100000", 400, "revision 100000 is in the future"),
            ("?as_of=2999-01-01", 400, "is in the future"),
            ("?colour=red&from=x", 400, "colour: is not offered here; there are from, to and as_of\nfrom: must be"),
            ("?from=2020-01-01&from=2021-01-01", 400, "from: is given twice"),
            ("?%3Cscript%3E=1", 400, "<script>: is not offered here"),
            ("?as_of=0", 404, "organizations/acme did not exist yet at revision 0; its first is "),
        ] {
            let answer = get(&server, query).await;
            assert_eq!((answer.status, answer.headers["content-type"].as_str()), (status, "text/plain; charset=utf-8"), "{query}");
            assert!(answer.body.contains(words), "{query}: {}", answer.body);
            assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        }
        for path in ["/internal/organizations/nobody/timeline.svg", "/internal/organizations/-/timeline.svg", "/internal/organizations/A%2FB/timeline.svg",
            "/internal/organizations/acme/timeline", "/internal/organizations/acme/timeline.svg/", "/internal/organizations//timeline.svg", "/organizations/acme/timeline.svg", "/"] {
            let answer = ask(&server, "GET", path, &[]).await;
            assert_eq!(answer.status, 404, "{path}: {answer:?}");
        }
        for method in ["POST", "PUT", "DELETE"] {
            let answer = ask(&server, method, PAGE, &[]).await;
            assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET, HEAD"), "{method}");
        }
        let answer = ask(&server, "GET", PAGE, &[("x-principal", "system")]).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }

    async fn an_organization_without_transfers_has_a_picture_too(backend: Backend) {
        let (_place, mut server) = crate::support::fresh(backend).await;
        crate::support::organization(&mut server, "acme").await;
        let answer = get(&server, "").await;
        assert_eq!(answer.status, 200);
        assert!(all(&answer.body, "text").iter().any(|text| text.contains("No restricted transfer takes place")));
    }

    async fn rows_are_bounded_and_the_rest_is_counted(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let many: String = (0..120)
            .map(|n| format!("  - {{id: m{n}, display_name: M{n}, recorded_as_found: true, state: ACTIVE, locations: [{{region_code: US}}]}}\n"))
            .collect();
        apply(&mut server, &MANIFEST.replace("transfers:\n", &format!("{many}transfers:\n"))).await.expect("applied");
        let svg = get(&server, "").await.body;
        let texts = all(&svg, "text");
        assert_eq!(texts.iter().filter(|text| text.contains(" → ")).count(), 100);
        assert!(texts.iter().any(|text| text == "23 more are left out of the picture."), "{texts:?}");
    }
}

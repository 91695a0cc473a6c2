//! What ResolveVendors refuses, and how much it takes.

use std::time::Duration;

use subprocessor_registry::proto::v1;
use tonic::{Code, Request};

use super::{ask, resolve};
use crate::support::{Place, Server, both, fresh, refused, vendor, violations};

fn names(names: &[&str]) -> v1::ResolveVendorsRequest {
    v1::ResolveVendorsRequest { names: names.iter().map(|name| (*name).to_owned()).collect(), ..Default::default() }
}

both! {
    async fn what_is_no_name_is_refused_all_at_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let invalid = Code::InvalidArgument;
        refused(ask(&mut server, names(&[])).await, invalid, "FIELD_INVALID", &["names"]);
        let too_long = "x".repeat(1_025);
        let bad = ["", "  ", "a\0b", "a\u{7}", "\u{202e}a", "\u{200b}", too_long.as_str()];
        let mixed = ["fine", bad[0], bad[1], bad[2], bad[3], bad[4], bad[5], bad[6], "fine too"];
        let request = v1::ResolveVendorsRequest { max_matches: -1, ..names(&mixed) };
        let fields = ["names[1]", "names[2]", "names[3]", "names[4]", "names[5]", "names[6]", "names[7]", "max_matches"];
        let status = refused(ask(&mut server, request).await, invalid, "FIELD_INVALID", &fields);
        let rules = violations(&status);
        assert_eq!(rules[0].1, "is empty");
        assert_eq!(rules[6].1, "has 1025 characters, more than 1024");
        let many = v1::ResolveVendorsRequest { names: vec!["a".into(); 10_001], ..Default::default() };
        let status = refused(ask(&mut server, many).await, invalid, "FIELD_INVALID", &["names"]);
        assert_eq!(violations(&status)[0].1, "has 10001 elements, more than 10000");
        let now = server.revision().await;
        let at = |point| v1::ResolveVendorsRequest { as_of: Some(v1::AsOf { point }), ..names(&["a"]) };
        let future = at(Some(v1::as_of::Point::Revision(now + 1)));
        refused(ask(&mut server, future).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        let negative = at(Some(v1::as_of::Point::Revision(-1)));
        refused(ask(&mut server, negative).await, invalid, "FIELD_INVALID", &["as_of.revision"]);
        refused(ask(&mut server, at(None)).await, invalid, "FIELD_INVALID", &["as_of"]);
        for good in ["a\nb", "a\r\nb", "a\tb", "ü", "株式会社", &"x".repeat(1_024)] {
            assert!(resolve(&mut server, &[good]).await[0].matches.is_empty(), "{good:?}");
        }
    }

    async fn no_more_matches_than_asked_for(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        for n in 0..30 {
            let twin = v1::Vendor { display_name: "Beeblebrox".into(), ..Default::default() };
            let request = v1::CreateVendorRequest { vendor_id: format!("v{n:02}"), vendor: Some(twin), ..Default::default() };
            server.vendors.create_vendor(request).await.expect("created");
        }
        for (asked, given) in [(0, 5), (1, 1), (7, 7), (20, 20), (21, 20), (i32::MAX, 20)] {
            let request = v1::ResolveVendorsRequest { max_matches: asked, ..names(&["Beeblebrox", "Beeblebrox; Beeblebrox GmbH"]) };
            let results = ask(&mut server, request).await.expect("resolved").results;
            assert_eq!(results[0].matches.len(), given);
            let first = results[0].matches.iter().map(|found| found.vendor.clone()).collect::<Vec<_>>();
            assert_eq!(first, (0..given).map(|n| format!("vendors/v{n:02}")).collect::<Vec<_>>());
            // For each of the names in a cell.
            assert_eq!(results[1].matches.len(), given * 2);
            assert_eq!(results[1].matches.iter().filter(|found| found.part == "Beeblebrox GmbH").count(), given);
        }
    }

    async fn ten_thousand_names_fit_in_an_answer_and_too_much_is_refused(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        let known = ["Amazon Web Services EMEA SARL", "Stripe, Inc. (US)", "Nobody Ltd", "AWS, Azure and GCP"];
        let many = v1::ResolveVendorsRequest {
            names: (0..10_000).map(|n| known[n % known.len()].to_owned()).collect(),
            ..Default::default()
        };
        assert_eq!(ask(&mut server, many).await.expect("it fits").results.len(), 10_000);
        let shared = v1::ResolveVendorsRequest { names: vec!["Google LLC".into(); 10_000], max_matches: 20, ..Default::default() };
        refused(ask(&mut server, shared).await, Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[]);
        let long = v1::ResolveVendorsRequest { names: vec!["x".repeat(1_000); 4_110], ..Default::default() };
        refused(ask(&mut server, long).await, Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[]);
    }

    async fn the_worst_names_are_answered(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        for id in ["ab", "wiz", "a-b", "by", "northwind"] {
            vendor(&mut server, id).await;
        }
        let worst = [
            "x".repeat(1_024), "a,".repeat(512), "a& ".repeat(341), "([".repeat(512), "()".repeat(512), "wiz, ".repeat(204),
            "a by b ".repeat(146), "a/b/".repeat(256), "\n".repeat(1_023) + "a", "[a](b) ".repeat(146), "\u{300}".repeat(1_000) + "x",
            "ﷺ".repeat(1_024), "d/b/a ".repeat(170), " ; ".repeat(340) + "a", "a - ".repeat(256), "northwind ".repeat(102),
        ];
        let names: Vec<String> = worst.iter().flat_map(|name| vec![name.clone(); 20]).collect();
        let mut request = Request::new(v1::ResolveVendorsRequest { names, ..Default::default() });
        request.set_timeout(Duration::from_secs(60));
        let client = server.vendors.clone().max_decoding_message_size(8 << 20);
        let mut client = client;
        let answer = client.resolve_vendors(request).await.expect("in time").into_inner();
        assert_eq!(answer.results.len(), worst.len() * 20);
    }
}

//! The rules of single values: every field that breaks one is named, with its full path, and nothing is written.

use subprocessor_registry::proto::v1;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::subject::{Ask, How, Subject, Writable, map, mask, no_driver_text};
use crate::support::{Server, both, fresh, organization, refused};

const LIVE: &How = &How { request_id: String::new(), validate_only: false, principal: String::new() };
const ACME: &str = "organizations/acme";

/// Creating this is refused for exactly these fields (below the resource), live, dry and as an update.
async fn wrong<R: Writable>(server: &mut Server, message: R, fields: &[&str]) -> Status {
    let fields: Vec<_> = fields.iter().map(|field| format!("{}.{field}", R::SINGULAR)).collect();
    let fields: Vec<_> = fields.iter().map(String::as_str).collect();
    let before = server.revision().await;
    let mut last = None;
    for how in [&How::dry(), LIVE] {
        let answer = R::create(server, "wrong", Some(message.clone()), ACME, how).await;
        last = Some(refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields));
        let everything = mask(&["*"]);
        let answer = R::update(server, Some(message.clone().with(&R::name("right"), "")), everything, how).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &fields);
    }
    assert_eq!(server.revision().await, before, "nothing is written after a refusal");
    let status = last.expect("called");
    no_driver_text(&status);
    status
}

/// Creating this works, and gives what `kept` picks as it is expected.
async fn right<R: Writable, T: PartialEq + std::fmt::Debug>(
    server: &mut Server,
    message: R,
    kept: fn(&R) -> T,
    as_: T,
) {
    let made = R::create(server, "", Some(message), ACME, LIVE).await.expect("a good one");
    assert_eq!(kept(&made), as_);
    assert_eq!(R::get(server, &made.head().name, None).await.expect("kept"), made);
}

async fn start(server: &mut Server) {
    organization(server, "acme").await;
    organization(server, "right").await;
    v1::Document::make(server, "right", "Right").await;
    v1::Customer::make(server, "right", "Right").await;
    v1::Vendor::make(server, "right", "Right").await;
    v1::Subprocessor::make(server, "right", "Right").await;
}

fn org(change: impl FnOnce(&mut v1::Organization)) -> v1::Organization {
    let mut one = v1::Organization::sample("One");
    change(&mut one);
    one
}

fn engagement(change: impl FnOnce(&mut v1::Subprocessor)) -> v1::Subprocessor {
    let mut one = v1::Subprocessor::sample("One");
    change(&mut one);
    one
}

fn contact(change: impl FnOnce(&mut v1::Contact)) -> v1::Organization {
    let mut one = v1::Contact::default();
    change(&mut one);
    org(|o| o.contacts = vec![v1::Contact::default(), one])
}

fn rule(status: &Status) -> String {
    status.get_error_details().bad_request().map(|b| b.field_violations[0].description.clone()).unwrap_or_default()
}

both! {
    async fn texts_are_trimmed_and_composed(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        start(&mut server).await;
        for (sent, kept) in [
            ("  Acme \t\n", "Acme"),
            ("\u{a0}\u{2003}Acme\u{3000}", "Acme"),
            ("A\u{308}hnlich", "Ähnlich"),
            ("\u{1100}\u{1161}", "\u{ac00}"),
            ("a  b", "a  b"),
            ("it's \"x\" \\ 50% $1 ? ' -- ;", "it's \"x\" \\ 50% $1 ? ' -- ;"),
            ("\u{1F468}\u{200D}\u{1F469}", "\u{1F468}\u{200D}\u{1F469}"),
            ("\u{10FFFF}", "\u{10FFFF}"),
        ] {
            right(&mut server, v1::Organization::sample(sent), |o| o.display_name.clone(), kept.to_owned()).await;
            right(&mut server, org(|o| o.trade_names = vec![sent.into()]), |o| o.trade_names.join("|"), kept.to_owned()).await;
            right(&mut server, org(|o| o.annotations = map(&[("k", sent)])), |o| o.annotations["k"].clone(), kept.to_owned()).await;
        }
        // The longest, counted in characters after trimming; lines where a text is long.
        let (short, long) = ("é".repeat(1_024), "é\n".repeat(8_191) + "xx");
        right(&mut server, v1::Organization::sample(&format!(" {short} ")), |o| o.display_name.chars().count(), 1_024).await;
        right(&mut server, org(|o| o.description = long.clone()), |o| o.description.chars().count(), 16_384).await;
        right(&mut server, org(|o| o.description = "a\n\tb\r\nc".into()), |o| o.description.clone(), "a\n\tb\nc".to_owned()).await;
        // One that no compression makes short: indexes must not limit what the contract allows.
        let noise = |n: usize| (0..n).scan(7u32, |x, _| {
            *x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_u32(0x20000 + (*x >> 16) % 0xa000)
        }).collect::<String>();
        right(&mut server, v1::Organization::sample(&noise(512)), |o| o.display_name.len(), 2_048).await;
        let status = wrong(&mut server, v1::Organization::sample(&noise(513)), &["display_name"]).await;
        assert_eq!(rule(&status), "has 2052 bytes in UTF-8, more than 2048");
        let long = noise(16_384);
        right(&mut server, engagement(|s| s.purposes = vec![long.clone()]), |s| s.purposes[0].chars().count(), 16_384).await;
        // Long values are found by what a filter has room for, and by presence.
        let shorter = noise(4_000);
        right(&mut server, engagement(|s| s.purposes = vec![shorter.clone()]), |s| s.purposes[0].clone(), shorter.clone()).await;
        for (filter, count) in [(format!("purposes:{shorter:?}"), 1), ("purposes:*".to_owned(), 2)] {
            let ask = Ask { filter, ..Default::default() };
            assert_eq!(v1::Subprocessor::list(&mut server, ask).await.expect("listed").items.len(), count);
        }
        right(&mut server, v1::Vendor { aliases: vec![noise(512)], ..v1::Vendor::sample("V") }, |v| v.aliases.len(), 1).await;
        // The same value twice in a repeated field that is filtered by.
        right(&mut server, v1::Vendor { aliases: vec!["x".into(), "x".into()], ..v1::Vendor::sample("V") }, |v| v.aliases.len(), 2).await;
    }

    async fn texts_that_are_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        start(&mut server).await;
        for bad in ["a\0b", "a\u{1}b", "a\nb", "a\tb", "a\rb", "a\u{7f}b", "a\u{85}b", "a\u{9f}b", "\0"] {
            wrong(&mut server, v1::Organization::sample(bad), &["display_name"]).await;
            wrong(&mut server, v1::Document::sample(bad), &["title"]).await;
            wrong(&mut server, v1::Customer::sample(bad), &["display_name"]).await;
            wrong(&mut server, v1::Vendor::sample(bad), &["display_name"]).await;
            wrong(&mut server, v1::Subprocessor::sample(bad), &["display_name"]).await;
            wrong(&mut server, org(|o| o.trade_names = vec!["ok".into(), bad.into()]), &["trade_names[1]"]).await;
        }
        for bad in ["a\0b", "a\u{1b}b", "a\u{7f}b"] {
            wrong(&mut server, org(|o| o.description = bad.into()), &["description"]).await;
            wrong(&mut server, engagement(|s| s.purposes = vec![bad.into()]), &["purposes[0]"]).await;
            wrong(&mut server, org(|o| o.annotations = map(&[("k", bad)])), &["annotations[\"k\"]"]).await;
        }
        for (name, n) in [("display_name", 1_025), ("display_name", 1_000_000)] {
            let status = wrong(&mut server, v1::Organization::sample(&"x".repeat(n)), &[name]).await;
            assert_eq!(rule(&status), format!("has {n} characters, more than 1024"));
        }
        wrong(&mut server, org(|o| o.description = "x".repeat(16_385)), &["description"]).await;
        wrong(&mut server, org(|o| o.trade_names = vec!["a".into(), " ".into()]), &["trade_names[1]"]).await;
        wrong(&mut server, engagement(|s| s.purposes = vec![String::new()]), &["purposes[0]"]).await;
    }

    async fn codes_dates_and_addresses(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        start(&mut server).await;
        for bad in ["UK", "EU", "EEA", "EL", "us", "USA", "XX", "ZZ", "U", "840", "-", "U S"] {
            let status = wrong(&mut server, org(|o| o.region_code = bad.into()), &["region_code"]).await;
            match bad {
                "UK" => assert!(rule(&status).ends_with("(the United Kingdom is GB)"), "{status:?}"),
                "EL" => assert!(rule(&status).ends_with("(Greece is GR)"), "{status:?}"),
                "EU" => assert!(rule(&status).ends_with("(an area is no country)"), "{status:?}"),
                _ => {}
            }
            wrong(&mut server, engagement(|s| s.locations = vec![v1::Location { region_code: bad.into(), ..Default::default() }]), &["locations[0].region_code"]).await;
        }
        for good in ["GB", "US", "AX", "ZW"] {
            right(&mut server, org(|o| o.region_code = format!(" {good} ")), |o| o.region_code.clone(), good.to_owned()).await;
        }
        for bad in ["0000-01-01", "0001-01-01", "1899-12-31", "2200-01-01", "9999-12-31", "2023-02-30", "2023-02-29", "2023-13-01", "2023-00-10",
            "2023-1-1", "20230101", "2023-01", "2023", "01/02/2023", "2023-01-01T00:00:00Z", "today", "+2023-01-01", "２０２３-01-01", "2023-01-01'"] {
            wrong(&mut server, engagement(|s| s.start_date = bad.into()), &["start_date"]).await;
            wrong(&mut server, v1::Customer { end_date: bad.into(), ..v1::Customer::sample("C") }, &["end_date"]).await;
            wrong(&mut server, v1::Document { stated_date: bad.into(), ..v1::Document::sample("D") }, &["stated_date"]).await;
        }
        for good in ["1900-01-01", "2024-02-29", "2199-12-31"] {
            right(&mut server, engagement(|s| s.start_date = good.into()), |s| s.start_date.clone(), good.to_owned()).await;
        }
        for bad in ["x", "acme.example", "//acme.example", "ftp://a.example", "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x",
            "https://", "https:// a.example", "https://a.example/ x", "https://a.example/\u{202f}x"] {
            wrong(&mut server, org(|o| o.website_uri = bad.into()), &["website_uri"]).await;
            wrong(&mut server, contact(|c| c.uri = bad.into()), &["contacts[1].uri"]).await;
        }
        right(&mut server, org(|o| o.website_uri = "https://bücher.example:8443/ä?x=1&y='#z".into()), |o| o.website_uri.clone(), "https://bücher.example:8443/ä?x=1&y='#z".to_owned()).await;
        for bad in ["x", "x@", "@x.example", "a b@x.example", "a@b@x.example", "a@x", "a@x..example", "A <a@x.example>", "a@x.example, b@x.example",
            "a@x.example\r\nBcc: b@x.example", "mailto:a@x.example", "a@x_y.example"] {
            wrong(&mut server, contact(|c| c.email = bad.into()), &["contacts[1].email"]).await;
        }
        for good in ["a@x.example", "o'neil+x@sub.x-y.example", "ü@bücher.example"] {
            right(&mut server, contact(|c| c.email = good.into()), |o| o.contacts[1].email.clone(), good.to_owned()).await;
        }
        for bad in ["30D", "P", "PT", "-P1D", "30 days", "P1", "1Y", "P1D2", "p30d; --"] {
            wrong(&mut server, engagement(|s| s.retention = Some(v1::Retention { duration: bad.into(), ..Default::default() })), &["retention.duration"]).await;
        }
        for good in ["P30D", "PT48H", "P1Y6M", "P0D"] {
            right(&mut server, engagement(|s| s.retention = Some(v1::Retention { duration: good.into(), ..Default::default() })), |s| s.retention.clone().expect("kept").duration, good.to_owned()).await;
        }
        let agreement = |change: fn(&mut v1::Agreement, &str), value: &str| {
            let mut agreement = v1::Agreement::default();
            change(&mut agreement, value);
            v1::Customer { agreement: Some(agreement), ..v1::Customer::sample("C") }
        };
        for bad in ["Berlin", "CET+1", "Europe/Nowhere", "../etc/passwd", "+02:00", "/usr/share/zoneinfo/UTC"] {
            wrong(&mut server, agreement(|a, v| a.time_zone = v.into(), bad), &["agreement.time_zone"]).await;
        }
        for good in ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"] {
            right(&mut server, agreement(|a, v| a.time_zone = v.into(), good), |c| c.agreement.clone().expect("kept").time_zone, good.to_owned()).await;
        }
        wrong(&mut server, agreement(|a, v| a.holidays = vec!["2026-01-01".into(), v.into()], "Christmas"), &["agreement.holidays[1]"]).await;
        for (days, ok) in [(-1, false), (0, true), (3_650, true), (3_651, false), (i32::MAX, false), (i32::MIN, false)] {
            let one = v1::Customer { agreement: Some(v1::Agreement { notice_days: Some(days), ..Default::default() }), ..v1::Customer::sample("C") };
            if ok {
                right(&mut server, one, |c| c.agreement.clone().expect("kept").notice_days, Some(days)).await;
            } else {
                wrong(&mut server, one, &["agreement.notice_days"]).await;
            }
        }
        for bad in ["x", &"a".repeat(63), &"a".repeat(65), &"A".repeat(64), &"g".repeat(64)] {
            wrong(&mut server, v1::Document { content_sha256: bad.to_owned(), ..v1::Document::sample("D") }, &["content_sha256"]).await;
        }
    }
}

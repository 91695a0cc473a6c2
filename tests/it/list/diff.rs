//! DiffSubprocessors: which two lists are compared, what counts as a difference, and what is refused.

use subprocessor_registry::proto::v1::{self, as_of::Point, subprocessor::State};
use tonic::{Code, Status};

use super::{ACME, engage, name, named, row};
use crate::support::{
    Server, activate, both, fresh, get_subprocessor, organization, refused, retire, subprocessor, suspend,
    update_subprocessor, vendor, violations,
};

type Request = v1::DiffSubprocessorsRequest;

fn at(revision: i64) -> Option<v1::AsOf> {
    Some(v1::AsOf { point: Some(Point::Revision(revision)) })
}

fn at_time(instant: &str) -> Option<v1::AsOf> {
    let instant: jiff::Timestamp = instant.parse().expect("a time");
    let time = prost_types::Timestamp { seconds: instant.as_second(), nanos: instant.subsec_nanosecond() };
    Some(v1::AsOf { point: Some(Point::Time(time)) })
}

async fn try_diff(server: &mut Server, request: Request) -> Result<v1::DiffSubprocessorsResponse, Status> {
    let parent = if request.parent.is_empty() { ACME.into() } else { request.parent.clone() };
    server.subprocessors.diff_subprocessors(Request { parent, ..request }).await.map(tonic::Response::into_inner)
}

async fn diff(server: &mut Server, request: Request) -> v1::DiffSubprocessorsResponse {
    try_diff(server, request).await.expect("compared")
}

/// An answer in short: `+` added, `-` removed, `~` changed with its paths, `>` renamed.
fn short(answer: &v1::DiffSubprocessorsResponse) -> Vec<String> {
    let id = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let added = answer.added.iter().map(|one| format!("+{}", id(&one.name)));
    let removed = answer.removed.iter().map(|one| format!("-{}", id(&one.name)));
    let changed = answer.changed.iter().map(|one| {
        let paths: Vec<&str> = one.field_diffs.iter().map(|diff| diff.path.as_str()).collect();
        let from = if one.base_name.is_empty() { String::new() } else { format!("({})", id(&one.base_name)) };
        format!("~{}{from} {}", id(&one.name), paths.join(" "))
    });
    let renamed = answer.renamed.iter().map(|one| {
        format!(
            "{}>{} {} > {} {}",
            id(&one.base_resource),
            id(&one.target_resource),
            one.from_name,
            one.to_name,
            one.score
        )
    });
    added.chain(removed).chain(changed).chain(renamed).collect()
}

/// What changed since a revision.
async fn since(server: &mut Server, revision: i64) -> Vec<String> {
    short(&diff(server, Request { base: at(revision), ..Default::default() }).await)
}

async fn delete(server: &mut Server, id: &str) {
    let request = v1::DeleteSubprocessorRequest { name: name(id), ..Default::default() };
    server.subprocessors.delete_subprocessor(request).await.expect("deleted");
}

async fn products(server: &mut Server, products: &[&str]) {
    let products = products.iter().map(|id| v1::Product { product_id: (*id).into(), ..Default::default() }).collect();
    let organization = v1::Organization { name: ACME.into(), products, ..Default::default() };
    let request = v1::UpdateOrganizationRequest { organization: Some(organization), ..Default::default() };
    server.organizations.update_organization(request).await.expect("updated");
}

async fn customer(server: &mut Server, id: &str, products: &[&str]) -> String {
    let products = products.iter().map(|id| (*id).to_owned()).collect();
    let request = v1::CreateCustomerRequest {
        parent: ACME.into(),
        customer_id: id.into(),
        customer: Some(v1::Customer { display_name: id.into(), products, ..Default::default() }),
        ..Default::default()
    };
    server.organizations.create_customer(request).await.expect("created").into_inner().name
}

fn found(display_name: &str, start: &str, end: &str) -> v1::Subprocessor {
    v1::Subprocessor { recorded_as_found: true, start_date: start.into(), end_date: end.into(), ..row(display_name) }
}

both! {
    async fn what_is_proposed_is_there_and_what_is_rejected_or_has_ended_is_not(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let begin = server.revision().await;
        engage(&mut server, "new", row("New")).await.expect("created");
        assert_eq!(since(&mut server, begin).await, ["+new"]);
        let proposed = server.revision().await;
        activate(&mut server, &name("new")).await.expect("activated");
        assert_eq!(since(&mut server, proposed).await, ["~new state start_date"]);
        let active = server.revision().await;
        suspend(&mut server, &name("new")).await.expect("suspended");
        assert_eq!(since(&mut server, active).await, ["~new state"]);
        let rejected = v1::Subprocessor { state: State::Rejected.into(), ..found("No", "", "") };
        engage(&mut server, "no", rejected).await.expect("created");
        assert_eq!(since(&mut server, begin).await, ["+new"]);

        // A retirement shows on the day on which it takes effect, whenever it was decided.
        let before = server.revision().await;
        retire(&mut server, &name("new"), "2026-03-25").await.expect("retired");
        let decided = server.revision().await;
        assert_eq!(since(&mut server, before).await, ["~new state end_date"]);
        place.set_clock("2026-03-24T23:59:59Z");
        assert_eq!(since(&mut server, decided).await, Vec::<String>::new());
        place.set_clock("2026-03-25T00:00:00Z");
        assert_eq!(since(&mut server, decided).await, ["-new"], "time alone");
        assert_eq!(since(&mut server, before).await, ["-new"]);
        let by_time = Request { base: at_time("2026-03-24T23:59:59.999Z"), target: at_time("2026-03-25T00:00:00Z"), ..Default::default() };
        assert_eq!(short(&diff(&mut server, by_time).await), ["-new"]);
        let by_number = Request { base: at(before), target: at(decided), ..Default::default() };
        assert_eq!(short(&diff(&mut server, by_number).await), ["~new state end_date"], "a revision is of its own day");
        // Erased, it never was.
        delete(&mut server, "no").await;
        delete(&mut server, "new").await;
        let erase = v1::ErasePersonalDataRequest { name: name("new"), reason: "asked".into(), ..Default::default() };
        server.log.erase_personal_data(erase).await.expect("erased");
        assert_eq!(since(&mut server, before).await, Vec::<String>::new());
    }

    async fn days_are_those_of_the_list(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        engage(&mut server, "always", found("Always", "", "")).await.expect("created");
        engage(&mut server, "old", found("Old", "2020-01-01", "2022-01-01")).await.expect("created");
        engage(&mut server, "late", found("Late", "2021-06-01", "")).await.expect("created");
        engage(&mut server, "maybe", row("Maybe")).await.expect("created");
        let entered = server.revision().await;
        let days = |base: &str, target: &str| Request {
            base_effective_at: base.into(), target_effective_at: target.into(), ..Default::default()
        };
        for (base, target, expected) in [
            ("2019-12-31", "2020-01-01", &["+old"][..]),
            ("2020-01-01", "2021-12-31", &["+late"]),
            ("2021-12-31", "2022-01-01", &["-old"]),
            ("2019-01-01", "2023-01-01", &["+late"]),
            ("2023-01-01", "2020-06-01", &["+old", "-late"]),
            ("2020-01-01", "2020-01-01", &[]),
        ] {
            let answer = diff(&mut server, days(base, target)).await;
            assert_eq!(short(&answer), expected, "{base} to {target}");
            assert_eq!((answer.base_revision, answer.target_revision), (entered, entered));
        }
        // A day on one side only: the other is all that has not ended, PROPOSED included.
        let one = |base: &str| Request { base_effective_at: base.into(), ..Default::default() };
        assert_eq!(short(&diff(&mut server, one("2020-06-01")).await), ["+late", "+maybe", "-old"]);
        let other = Request { base: at(entered), target_effective_at: "2020-06-01".into(), ..Default::default() };
        assert_eq!(short(&diff(&mut server, other).await), ["+old", "-late", "-maybe"]);
        // The same day, as it was known then and now: a correction.
        let corrected = v1::Subprocessor { start_date: "2020-03-01".into(), ..get_subprocessor(&mut server, &name("old")).await };
        update_subprocessor(&mut server, corrected, &["start_date"]).await.expect("updated");
        let same_day = |day: &str| Request { base: at(entered), ..days(day, day) };
        assert_eq!(short(&diff(&mut server, same_day("2020-01-15")).await), ["-old"]);
        assert_eq!(short(&diff(&mut server, same_day("2020-04-01")).await), ["~old start_date"]);
        assert_eq!(short(&diff(&mut server, same_day("2022-04-01")).await), Vec::<String>::new());
    }

    async fn what_differs_is_what_the_list_says(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        vendor(&mut server, "one").await;
        let first = engage(&mut server, "a", named("one")).await.expect("created");
        let base = server.revision().await;
        let quoted = v1::Subprocessor {
            sources: vec![v1::Source { quote: "somewhere else".into(), ..Default::default() }], ..first.clone()
        };
        update_subprocessor(&mut server, quoted, &["sources"]).await.expect("updated");
        // Putting it into use makes records, which only the server sets.
        activate(&mut server, &name("a")).await.expect("activated");
        assert!(!get_subprocessor(&mut server, &name("a")).await.gate_records.is_empty());
        assert_eq!(since(&mut server, base).await, ["~a state start_date"]);
        // A new name is a rename, and what else changed stands beside it.
        let base = server.revision().await;
        let renamed = v1::Subprocessor {
            display_name: "One, Inc.".into(), purposes: vec!["mail".into(), "text".into()], section: "Mail".into(), ..first
        };
        update_subprocessor(&mut server, renamed.clone(), &["display_name"]).await.expect("updated");
        assert_eq!(since(&mut server, base).await, ["a>a one > One, Inc. 1"]);
        update_subprocessor(&mut server, renamed, &["purposes", "section"]).await.expect("updated");
        let answer = diff(&mut server, Request { base: at(base), ..Default::default() }).await;
        assert_eq!(short(&answer), ["~a purposes[0] purposes[1] section", "a>a one > One, Inc. 1"]);
        let changed = &answer.changed[0];
        assert_eq!((changed.name.as_str(), changed.display_name.as_str()), (name("a").as_str(), "One, Inc."));
        let values: Vec<_> = changed.field_diffs.iter().map(|diff| (diff.before.as_str(), diff.after.as_str())).collect();
        assert_eq!(values, [("", "\"mail\""), ("", "\"text\""), ("", "\"Mail\"")]);
    }

    async fn two_resources_are_one_engagement_where_they_match_one_to_one(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        vendor(&mut server, "blue").await;
        vendor(&mut server, "red").await;
        let with = |name: &str, vendor: &str, purpose: &str| v1::Subprocessor {
            vendor: vendor.into(), purposes: vec![purpose.into()], ..row(name)
        };
        engage(&mut server, "acme-1", row("Acme Mail Inc.")).await.expect("created");
        engage(&mut server, "blue-1", with("Blue", "vendors/blue", "hosting")).await.expect("created");
        engage(&mut server, "same-1", row("Same")).await.expect("created");
        engage(&mut server, "red-1", with("Swap", "vendors/red", "hosting")).await.expect("created");
        engage(&mut server, "many-1", row("Many")).await.expect("created");
        let base = server.revision().await;
        for id in ["acme-1", "blue-1", "same-1", "red-1", "many-1"] {
            delete(&mut server, id).await;
        }
        engage(&mut server, "acme-2", v1::Subprocessor { section: "Mail".into(), ..row("ACME Mail LLC") }).await.expect("created");
        engage(&mut server, "blue-2", with("Azure-ish", "vendors/blue", "hosting")).await.expect("created");
        engage(&mut server, "same-2", v1::Subprocessor { condition: "if enabled".into(), ..row("Same") }).await.expect("created");
        engage(&mut server, "red-2", with("Swap", "vendors/blue", "mail")).await.expect("created");
        for (id, purpose) in [("many-2", "x"), ("many-3", "y")] {
            engage(&mut server, id, with("Many GmbH", "", purpose)).await.expect("created");
        }
        assert_eq!(since(&mut server, base).await, [
            "+many-2", "+many-3", "+red-2",
            "-many-1", "-red-1",
            "~acme-2(acme-1) section", "~same-2(same-1) condition",
            "acme-1>acme-2 Acme Mail Inc. > ACME Mail LLC 0.95", "blue-1>blue-2 Blue > Azure-ish 0.8",
        ]);
    }

    async fn a_customer_sees_what_concerns_it(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        products(&mut server, &["eu", "us"]).await;
        let before = server.revision().await;
        let eu = customer(&mut server, "eu", &["eu"]).await;
        let every = customer(&mut server, "every", &[]).await;
        let of = |products: &[&str], name: &str| v1::Subprocessor {
            products: products.iter().map(|id| (*id).to_owned()).collect(), ..row(name)
        };
        let base = server.revision().await;
        engage(&mut server, "eu", of(&["eu"], "In Europe")).await.expect("created");
        let us = engage(&mut server, "us", of(&["us"], "In America")).await.expect("created");
        engage(&mut server, "all", row("Everywhere")).await.expect("created");
        let entered = server.revision().await;
        let seen = |base, customer: &str| Request { base: at(base), customer: customer.into(), ..Default::default() };
        assert_eq!(short(&diff(&mut server, seen(base, &eu)).await), ["+all", "+eu"]);
        assert_eq!(short(&diff(&mut server, seen(base, &every)).await), ["+all", "+eu", "+us"]);
        // What begins to concern it is added for it, though the list had it already.
        update_subprocessor(&mut server, v1::Subprocessor { products: vec![], ..us.clone() }, &["products"]).await.expect("updated");
        assert_eq!(short(&diff(&mut server, seen(entered, &eu)).await), ["+us"]);
        assert_eq!(short(&diff(&mut server, seen(entered, &every)).await), ["~us products[0]"]);
        let back = Request { target: at(entered), ..seen(server.revision().await, &eu) };
        assert_eq!(short(&diff(&mut server, back).await), ["-us"]);
        // A customer is what it was at the later of the two.
        let early = Request { target: at(before), ..seen(0, &eu) };
        refused(try_diff(&mut server, early).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let request = v1::DeleteCustomerRequest { name: eu.clone(), ..Default::default() };
        server.organizations.delete_customer(request).await.expect("deleted");
        refused(try_diff(&mut server, seen(base, &eu)).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let then = Request { target: at(entered), ..seen(base, &eu) };
        assert_eq!(short(&diff(&mut server, then).await), ["+all", "+eu"]);
        let nobody = seen(base, "organizations/acme/customers/nobody");
        refused(try_diff(&mut server, nobody).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
    }

    async fn an_organization_that_was_not_yet_there_had_an_empty_list(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        vendor(&mut server, "early").await;
        let before = server.revision().await;
        place.set_clock("2026-03-23T11:00:00Z");
        organization(&mut server, "acme").await;
        engage(&mut server, "a", row("A")).await.expect("created");
        let there = server.revision().await;
        for base in [at(0), at(before), at_time("2026-03-23T10:59:59Z"), at_time("1999-01-01T00:00:00Z")] {
            let answer = diff(&mut server, Request { base, ..Default::default() }).await;
            assert_eq!((short(&answer).as_slice(), answer.target_revision), (&["+a".to_owned()][..], there));
        }
        let back = Request { base: at(there), target: at(before), ..Default::default() };
        assert_eq!(short(&diff(&mut server, back).await), ["-a"]);
        for (base, target) in [(at(0), at(before)), (at(before), at(before))] {
            let neither = Request { base, target, ..Default::default() };
            refused(try_diff(&mut server, neither).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        }
        let nobody = Request { parent: "organizations/nobody".into(), base: at(0), ..Default::default() };
        refused(try_diff(&mut server, nobody).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        // Nor are the lists of others looked at.
        organization(&mut server, "other").await;
        subprocessor(&mut server, "organizations/other", "b", row("B")).await.expect("created");
        assert_eq!(since(&mut server, 0).await, ["+a"]);
    }

    async fn what_cannot_be_compared_is_refused_all_at_once(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        organization(&mut server, "other").await;
        let customer = customer(&mut server, "buyer", &[]).await;
        let head = server.revision().await;
        let time = |seconds| Some(v1::AsOf { point: Some(Point::Time(prost_types::Timestamp { seconds, nanos: 0 })) });
        for (request, fields) in [
            (Request::default(), &["base"][..]),
            (Request { target: at(1), target_effective_at: "2026-01-01".into(), ..Default::default() }, &["base"]),
            (Request { base: at(-1), ..Default::default() }, &["base.revision"]),
            (Request { base: at(1), target: time(i64::MAX), ..Default::default() }, &["target.time"]),
            (Request { base: Some(v1::AsOf { point: None }), ..Default::default() }, &["base"]),
            (Request { base: at(1), base_effective_at: "yesterday".into(), ..Default::default() }, &["base_effective_at"]),
            (Request { base: at(1), target_effective_at: "2026-02-30".into(), ..Default::default() }, &["target_effective_at"]),
            (Request { parent: "organizations/-".into(), base: at(1), ..Default::default() }, &["parent"]),
            (Request { parent: "vendors/acme".into(), base: at(1), ..Default::default() }, &["parent"]),
            (Request { base: at(1), customer: "buyer".into(), ..Default::default() }, &["customer"]),
            (Request { parent: "organizations/other".into(), base: at(1), customer: customer.clone(), ..Default::default() }, &["customer"]),
            (
                Request {
                    parent: "-".into(), base: at(-1), target: Some(v1::AsOf { point: None }), base_effective_at: "x".into(),
                    target_effective_at: "y".into(), customer: "z".into(),
                },
                &["base.revision", "base_effective_at", "target", "target_effective_at", "parent", "customer"],
            ),
        ] {
            let status = refused(try_diff(&mut server, request.clone()).await, Code::InvalidArgument, "FIELD_INVALID", fields);
            assert!(violations(&status).iter().all(|(_, rule)| rule.starts_with("must ") || rule.starts_with("is required")), "{request:?}: {status:?}");
        }
        for request in [
            Request { base: at(head + 1), ..Default::default() },
            Request { base: at(1), target: at(head + 1), ..Default::default() },
            Request { base: at(1), target: at_time("2026-03-23T10:00:01Z"), ..Default::default() },
        ] {
            refused(try_diff(&mut server, request).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        }
        // A list compared with itself on purpose does not differ.
        assert_eq!(since(&mut server, head).await, Vec::<String>::new());
    }

    async fn an_answer_that_is_too_large_is_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let base = server.revision().await;
        let long = |letter: &str| letter.repeat(9_000);
        for part in 0..6 {
            let rows: Vec<_> = (0..100)
                .map(|i| serde_json::json!({"id": format!("r{part}-{i}"), "display_name": format!("Row {part} {i}"),
                    "service_description": long("x")}))
                .collect();
            let manifest = serde_json::json!({"organization": {"id": "acme", "display_name": "ACME"}, "subprocessors": rows});
            crate::support::apply(&mut server, &manifest.to_string()).await.expect("applied");
        }
        let status = refused(
            try_diff(&mut server, Request { base: at(base), ..Default::default() }).await,
            Code::ResourceExhausted, "ANSWER_TOO_LARGE", &[],
        );
        assert!(status.message().contains(ACME), "{status:?}");
        let half = Request { base: at(base), target: at(base + 3), ..Default::default() };
        assert_eq!(diff(&mut server, half).await.added.len(), 300);
    }
}

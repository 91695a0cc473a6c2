//! SimulateInstrumentEnd: what breaks, what a fallback saves, whom it hits. Ending the instrument answers the same.

use subprocessor_registry::proto::v1::{
    self, Certification, Mechanism, Regime, SimulateInstrumentEndRequest, SimulateInstrumentEndResponse, Tia, Verdict,
    certification::Status,
    simulate_instrument_end_request::Cause,
    simulated_transfer::Effect::{CoverLost, CoverWeakened, FallbackLost, NotCoveredBefore, SavedByFallback},
    tia::Outcome,
};
use tonic::Code;

use super::scene::{ACME, ask, certify, create, engaged, on, transfer, with_catalog};
use crate::support::{Server, both, organization, refused};

const DPF: &str = "instruments/eu-us-dpf";
/// A day on which the framework has effect, and the clauses of 2021 want an assessment.
const DAY: &str = "2026-06-01";

async fn simulate(server: &mut Server, request: SimulateInstrumentEndRequest) -> SimulateInstrumentEndResponse {
    server.mechanisms.simulate_instrument_end(request).await.expect("answers").into_inner()
}

fn end(instrument: &str, parent: &str) -> SimulateInstrumentEndRequest {
    SimulateInstrumentEndRequest {
        instrument: instrument.into(),
        end_date: DAY.into(),
        parent: parent.into(),
        ..Default::default()
    }
}

fn clauses(precedence: i32, assessed: bool) -> Mechanism {
    let tia = Tia { date: "2023-01-01".into(), outcome: Outcome::Adequate.into(), ..Default::default() };
    Mechanism {
        sign_date: "2022-01-01".into(),
        module: v1::Module::Two.into(),
        tia: Some(tia).filter(|_| assessed),
        ..on("eu-scc-2021-914", precedence)
    }
}

/// An importer for each of two products, one for all, and one without a mechanism, all certified under the framework;
/// with a customer of each product.
async fn scene(server: &mut Server) {
    let product = |id: &str| v1::Product { product_id: id.into(), display_name: id.into(), ..Default::default() };
    let update = v1::UpdateOrganizationRequest {
        organization: Some(v1::Organization {
            name: ACME.into(),
            products: vec![product("mail"), product("pay")],
            ..Default::default()
        }),
        ..Default::default()
    };
    server.organizations.update_organization(update).await.expect("updated");
    for (id, products) in [("of-mail", vec!["mail"]), ("of-pay", vec!["pay"]), ("of-all", vec![])] {
        let customer = v1::Customer {
            display_name: id.into(),
            products: products.into_iter().map(str::to_owned).collect(),
            ..Default::default()
        };
        let request = v1::CreateCustomerRequest {
            parent: ACME.into(),
            customer_id: id.into(),
            customer: Some(customer),
            ..Default::default()
        };
        server.organizations.create_customer(request).await.expect("created");
    }
    let both = vec![on("eu-us-dpf", 0), clauses(1, true)];
    for (id, vendor, product, mechanisms) in [
        ("lost", "vendors/mailchimp", "mail", vec![on("eu-us-dpf", 0)]),
        ("weakened", "vendors/twilio", "mail", vec![on("eu-us-dpf", 0), clauses(1, false)]),
        ("saved", "vendors/stripe", "pay", both),
        ("second", "vendors/aws", "pay", vec![clauses(0, true), on("eu-us-dpf", 1)]),
        ("never", "vendors/slack", "pay", vec![on("eu-us-dpf", 0)]),
    ] {
        let importer = engaged(server, id, vendor, "US").await;
        let update = v1::UpdateSubprocessorRequest {
            subprocessor: Some(v1::Subprocessor {
                name: importer.clone(),
                products: vec![product.into()],
                role: v1::Role::SubProcessor.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        server.subprocessors.update_subprocessor(update).await.expect("updated");
        if id != "never" {
            let certification = Certification {
                framework: DPF.into(),
                status: Status::Active.into(),
                start_date: "2023-08-01".into(),
                ..Default::default()
            };
            certify(server, vendor, certification).await.expect("certified");
        }
        create(server, id, transfer(&importer, "US", mechanisms)).await.expect("created");
    }
}

both! {
    async fn what_breaks_what_is_saved_and_whom_it_hits(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        scene(&mut server).await;
        let answer = simulate(&mut server, end(DPF, ACME)).await;
        let seen: Vec<_> = answer.transfers.iter().map(|one| {
            let (before, after) = (one.before.as_ref().expect("before"), one.after.as_ref().expect("after"));
            let name = before.transfer.trim_start_matches("organizations/acme/transfers/");
            (name, one.effect(), before.verdict(), after.verdict(), one.fallback.as_str(), one.products.join(" "))
        }).collect();
        let scc = "instruments/eu-scc-2021-914";
        use Verdict::{Invalidated, MissingTia, UnsupportedClaim, Valid};
        assert_eq!(seen, [
            ("lost", CoverLost, Valid, Invalidated, "", "mail".to_owned()),
            ("never", NotCoveredBefore, UnsupportedClaim, Invalidated, "", "pay".to_owned()),
            ("saved", SavedByFallback, Valid, Valid, scc, "pay".to_owned()),
            ("second", FallbackLost, Valid, Valid, scc, "pay".to_owned()),
            ("weakened", CoverWeakened, Valid, MissingTia, scc, "mail".to_owned()),
        ]);
        let [hit] = answer.organizations.as_slice() else { panic!("one organization: {:?}", answer.organizations) };
        assert_eq!((hit.organization.as_str(), hit.lost_count, hit.weakened_count, hit.saved_count), (ACME, 1, 1, 1));
        assert_eq!(hit.products, ["mail"]);
        assert_eq!(hit.customers, ["organizations/acme/customers/of-all", "organizations/acme/customers/of-mail"]);
        assert_eq!(answer.judged_count, 5);

        // A repeal is not a judgment, and what ends under another regime does nothing here.
        let request = SimulateInstrumentEndRequest { cause: Cause::Expiry.into(), ..end(DPF, "organizations/-") };
        let expired = simulate(&mut server, request).await;
        assert_eq!(expired.transfers[0].after.as_ref().map(|one| one.verdict()), Some(Verdict::Expired));
        let swiss = SimulateInstrumentEndRequest { regimes: vec![Regime::SwissFadp.into()], ..end(DPF, "") };
        let swiss = simulate(&mut server, swiss).await;
        assert_eq!((swiss.transfers.len(), swiss.organizations.len(), swiss.judged_count), (0, 0, 5));
        // Before it existed there is nothing to lose.
        let early = SimulateInstrumentEndRequest { end_date: "2023-01-01".into(), ..end(DPF, "") };
        assert!(simulate(&mut server, early).await.transfers.iter().all(|one| one.effect() == NotCoveredBefore));
        // Another organization has nothing to do with it.
        organization(&mut server, "other").await;
        assert_eq!(simulate(&mut server, end(DPF, "organizations/other")).await.judged_count, 0);
    }

    async fn ending_the_instrument_answers_the_same(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        scene(&mut server).await;
        // A location whose country has an adequacy decision: nothing on record, all derived.
        engaged(&mut server, "auckland", "vendors/datadog", "NZ").await;
        for (instrument, day) in [(DPF, DAY), ("instruments/eu-scc-2021-914", DAY), ("instruments/eu-adequacy-new-zealand", DAY)] {
            let get = v1::GetInstrumentRequest { name: instrument.into(), ..Default::default() };
            let Ok(before) = server.mechanisms.get_instrument(get).await.map(tonic::Response::into_inner) else {
                panic!("{instrument} is in the catalog");
            };
            let all = v1::AssessTransfersRequest { parent: ACME.into(), date: day.into(), ..Default::default() };
            let earlier = ask(&mut server, all.clone()).await;
            let simulated = simulate(&mut server, end(instrument, ACME)).await;
            assert!(!simulated.transfers.is_empty(), "{instrument}");
            let mut ended = before.clone();
            ended.periods.retain(|one| one.from_date.as_str() < day);
            for period in ended.periods.iter_mut().filter(|one| one.end_date.is_empty() || one.end_date.as_str() > day) {
                period.end_date = day.to_owned();
                period.set_end_reason(v1::period::EndReason::CourtInvalidation);
                period.ending_event = None;
            }
            let mask = Some(prost_types::FieldMask { paths: vec!["periods".into()] });
            let update = |instrument| v1::UpdateInstrumentRequest { instrument: Some(instrument), update_mask: mask.clone(), ..Default::default() };
            let after = server.mechanisms.update_instrument(update(ended)).await.expect("ended").into_inner();
            let later = ask(&mut server, all).await;
            let key = |one: &v1::TransferAssessment| (one.transfer.clone(), one.derived_from.clone().map(|from| (from.subprocessor, from.location_index)));
            for one in &later {
                let found = simulated.transfers.iter().find(|other| other.after.as_ref().map(key) == Some(key(one)));
                match found {
                    Some(found) => assert_eq!(found.after.as_ref(), Some(one)),
                    None => assert_eq!(earlier.iter().find(|other| key(other) == key(one)).map(|one| one.verdict()), Some(one.verdict())),
                }
            }
            assert!(simulated.transfers.iter().all(|one| later.iter().any(|other| one.after.as_ref() == Some(other))), "{instrument}");
            let restored = v1::Instrument { periods: before.periods.clone(), etag: after.etag, ..before };
            server.mechanisms.update_instrument(update(restored)).await.expect("restored");
        }
    }

    async fn what_cannot_be_simulated_is_refused_all_at_once(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let request = SimulateInstrumentEndRequest {
            instrument: "vendors/aws".into(),
            end_date: "2026-02-30".into(),
            parent: "vendors/-".into(),
            regimes: vec![1, 99],
            cause: 7,
            as_of: Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(-1)) }),
        };
        let answer = server.mechanisms.simulate_instrument_end(request).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["instrument", "end_date", "parent", "regimes[1]", "cause", "as_of.revision"]);
        let answer = server.mechanisms.simulate_instrument_end(SimulateInstrumentEndRequest::default()).await;
        refused(answer, Code::InvalidArgument, "FIELD_INVALID", &["instrument", "end_date"]);
        let answer = server.mechanisms.simulate_instrument_end(end("instruments/no-such-law", "")).await;
        refused(answer, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let answer = server.mechanisms.simulate_instrument_end(end(DPF, "organizations/nobody")).await;
        refused(answer, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        let future = SimulateInstrumentEndRequest {
            as_of: Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(1_000)) }),
            ..end(DPF, "")
        };
        let answer = server.mechanisms.simulate_instrument_end(future).await;
        refused(answer, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
    }
}

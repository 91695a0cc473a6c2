//! Transfers that nobody recorded, from locations that are no single country.

use subprocessor_registry::proto::v1::{
    self, Certification, Location, Regime, Subprocessor, TransferAssessment, Verdict, certification::Status,
    finding::Kind, notice_policy::Enforcement,
};
use tonic::Code;
use tonic_types::StatusExt;

use super::scene::{ACME, ask, certify, create, on, on_day, transfer, with_catalog};
use crate::support::{Server, both, subprocessor};

const DAY: &str = "2026-03-23";

fn area(area: &str) -> Location {
    Location { area: area.into(), verbatim: area.into(), ..Default::default() }
}

async fn located(server: &mut Server, id: &str, vendor: &str, location: Location) -> String {
    let message = Subprocessor {
        display_name: id.into(),
        vendor: vendor.into(),
        recorded_as_found: true,
        state: v1::subprocessor::State::Active.into(),
        locations: vec![location],
        ..Default::default()
    };
    subprocessor(server, ACME, id, message).await.expect("created").name
}

async fn regimes(server: &mut Server, regimes: &[Regime]) {
    let regimes = regimes.iter().map(|one| i32::from(*one)).collect();
    let organization = v1::Organization { name: ACME.into(), regimes, ..Default::default() };
    let request = v1::UpdateOrganizationRequest { organization: Some(organization), ..Default::default() };
    server.organizations.update_organization(request).await.expect("updated");
}

/// Which subprocessor's location or which transfer, under which regime, and what the law says.
fn told(answers: &[TransferAssessment]) -> Vec<(String, Regime, Verdict)> {
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let one = |a: &TransferAssessment| {
        let what = a.derived_from.as_ref().map_or_else(|| last(&a.transfer), |from| last(&from.subprocessor));
        (what, a.regime(), a.verdict())
    };
    answers.iter().map(one).collect()
}

both! {
    async fn one_country_does_not_speak_for_the_world(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let world = Location { verbatim: "Worldwide".into(), ..area("GLOBAL") };
        let mail = located(&mut server, "mail", "vendors/mailchimp", world).await;
        let dpf = Certification {
            framework: "instruments/eu-us-dpf".into(),
            status: Status::Active.into(),
            start_date: "2023-09-01".into(),
            ..Default::default()
        };
        certify(&mut server, "vendors/mailchimp", dpf).await.expect("certified");
        create(&mut server, "mail-us", transfer(&mail, "US", vec![on("eu-us-dpf", 0)])).await.expect("created");
        let named = |what: &str, verdict| (what.to_owned(), Regime::EuGdpr, verdict);
        let (recorded, derived) = (named("mail-us", Verdict::Valid), named("mail", Verdict::Indeterminate));
        assert_eq!(told(&on_day(&mut server, ACME, DAY).await), [recorded, derived]);
        let findings = async |server: &mut Server| {
            let request = v1::ListFindingsRequest { parent: ACME.into(), date: DAY.into(), ..Default::default() };
            let all = server.mechanisms.list_findings(request).await.expect("listed").into_inner().findings;
            let of = all.into_iter().filter(|one| one.kind() == Kind::TransferNotCovered);
            of.map(|one| (one.subject.clone(), one.verdict())).collect::<Vec<_>>()
        };
        assert_eq!(findings(&mut server).await, [(mail.clone(), Verdict::Indeterminate)]);
        // Nor is the gate met by it.
        let notice_policy = Some(v1::NoticePolicy { enforcement: Enforcement::Required.into(), ..Default::default() });
        let organization = v1::Organization { name: ACME.into(), notice_policy, ..Default::default() };
        let request = v1::UpdateOrganizationRequest { organization: Some(organization), ..Default::default() };
        server.organizations.update_organization(request).await.expect("updated");
        let suspend = v1::SuspendRequest { name: mail.clone(), ..Default::default() };
        server.subprocessors.suspend(suspend).await.expect("suspended");
        let again = v1::ActivateRequest { name: mail.clone(), ..Default::default() };
        let status = server.subprocessors.activate(again).await.expect_err("a gate is not met");
        assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
        let details = status.get_error_details();
        let violations = details.precondition_failure().map(|one| one.violations.clone()).unwrap_or_default();
        assert!(violations.iter().any(|one| one.description.contains("Worldwide (EU_GDPR): INDETERMINATE")), "{violations:?}");
        // One that says no more than the location speaks for it, and is no better.
        let nowhere = v1::Transfer { destination_region_codes: vec![], ..transfer(&mail, "US", vec![on("eu-us-dpf", 0)]) };
        let nowhere = create(&mut server, "mail-world", nowhere).await.expect("created").name;
        assert_eq!(
            told(&on_day(&mut server, ACME, DAY).await),
            [named("mail-us", Verdict::Valid), named("mail-world", Verdict::Indeterminate)]
        );
        assert_eq!(findings(&mut server).await, [(nowhere, Verdict::Indeterminate)]);
    }

    async fn the_union_is_its_members_to_other_regimes(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        regimes(&mut server, &[Regime::EuGdpr, Regime::UkGdpr, Regime::SwissFadp]).await;
        let country = Location { region_code: "DE".into(), verbatim: "Germany".into(), ..Default::default() };
        located(&mut server, "germany", "vendors/hetzner", country).await;
        located(&mut server, "union", "vendors/hetzner", area("EU")).await;
        located(&mut server, "wider", "vendors/hetzner", area("EEA")).await;
        let seen = |what: &str, regime| (what.to_owned(), regime, Verdict::Valid);
        let (uk, swiss) = (Regime::UkGdpr, Regime::SwissFadp);
        let expected = [
            seen("germany", uk), seen("germany", swiss), seen("union", uk), seen("union", swiss),
            seen("wider", uk), seen("wider", swiss),
        ];
        assert_eq!(told(&on_day(&mut server, ACME, DAY).await), expected);
        // The members are those of the day: the answers of a range are those of its days.
        let range = v1::AssessTransfersRequest {
            parent: ACME.into(), from_date: "2003-01-01".into(), to_date: "2026-03-23".into(), ..Default::default()
        };
        let intervals = ask(&mut server, range).await;
        assert!(intervals.len() > 6, "{intervals:?}");
        for one in &intervals {
            let day = on_day(&mut server, ACME, &one.from_date).await;
            let same = |other: &&TransferAssessment| {
                other.regime() == one.regime() && other.derived_from == one.derived_from
            };
            let found = day.iter().find(same).map(|other| other.verdict());
            assert_eq!(found, Some(one.verdict()), "{one:?}");
        }
        // What is published of it names no country that nobody stated.
        let findings = v1::ListFindingsRequest { parent: ACME.into(), date: DAY.into(), ..Default::default() };
        let findings = server.mechanisms.list_findings(findings).await.expect("listed").into_inner().findings;
        let open: Vec<_> = findings.iter().filter(|one| one.kind() == Kind::TransferNotCovered).collect();
        assert!(open.is_empty(), "{open:?}");
    }
}

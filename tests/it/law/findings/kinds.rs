//! Every kind but those of transfers: the day before, the day, and what makes it go.

use subprocessor_registry::proto::v1::{
    self, Address, Certification, Claim, Location, Retention,
    certification::Status,
    claim, document, dpa,
    finding::{Kind, Severity},
    notice_policy::Enforcement,
    retention,
};

use super::{ACME, acme, ask, engage, kinds, of_kind, on, one, publish, whole};
use crate::support::{Place, Server, activate, both, organization, subprocessor, suspend, update_subprocessor, vendor};

const TODAY: &str = "2026-03-23";

fn since(date: &str, severity: Severity) -> Option<(String, Severity)> {
    Some((date.to_owned(), severity))
}

async fn set_organization(server: &mut Server, change: impl FnOnce(&mut v1::Organization), paths: &[&str]) {
    let mut organization = v1::Organization { name: ACME.into(), ..Default::default() };
    change(&mut organization);
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = v1::UpdateOrganizationRequest {
        organization: Some(organization),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    server.organizations.update_organization(request).await.expect("updated");
}

async fn certify(server: &mut Server, parent: &str, certification: Certification) -> Certification {
    let request = v1::CreateCertificationRequest {
        parent: parent.into(),
        certification: Some(certification),
        ..Default::default()
    };
    server.mechanisms.create_certification(request).await.expect("certified").into_inner()
}

fn with_sources(mut one: v1::Subprocessor) -> v1::Subprocessor {
    let source = |field: &str, quote: &str| v1::Source {
        document: "https://acme.example/list".into(),
        field: field.into(),
        quote: quote.into(),
        line: 7,
        ..Default::default()
    };
    one.sources = vec![source("", "We use it."), source("dpa", "signed in 2024")];
    one
}

both! {
    async fn of_what_is_whole_nothing_is_found(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        vendor(&mut server, "aws").await;
        engage(&mut server, "aws", whole("aws")).await;
        assert_eq!(on(&mut server, TODAY).await, []);
        // Not engaged: nothing of it matters yet.
        subprocessor(&mut server, ACME, "new", v1::Subprocessor { display_name: "New".into(), ..Default::default() })
            .await.expect("proposed");
        assert_eq!(on(&mut server, TODAY).await, []);
    }

    async fn an_agreement_falls_due_on_its_day(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        vendor(&mut server, "aws").await;
        let signed = v1::Dpa {
            status: dpa::Status::Signed.into(),
            sign_date: "2024-03-01".into(),
            expire_date: "2026-06-01".into(),
            ..Default::default()
        };
        let aws = engage(&mut server, "aws", with_sources(v1::Subprocessor { dpa: Some(signed), ..whole("aws") })).await;
        assert_eq!(one(&mut server, Kind::DpaDue, "2026-05-31").await, None);
        assert_eq!(one(&mut server, Kind::DpaDue, "2026-06-01").await, since("2026-06-01", Severity::Critical));
        assert_eq!(one(&mut server, Kind::DpaDue, "2027-01-01").await, since("2026-06-01", Severity::Critical));
        assert_eq!(one(&mut server, Kind::DpaDue, "2024-02-29").await, since("", Severity::Critical));
        let found = of_kind(&mut server, Kind::DpaDue, "2026-06-01").await.remove(0);
        assert_eq!((found.subject.as_str(), found.citation.as_str()), (aws.name.as_str(), "GDPR Art. 28(4)"));
        let cited = &found.evidence[0];
        assert_eq!((cited.resource.as_str(), cited.field.as_str()), (aws.name.as_str(), "dpa.expire_date"));
        assert_eq!((cited.quote.as_str(), cited.line), ("signed in 2024", 7));
        let none = v1::Subprocessor { dpa: None, ..aws.clone() };
        update_subprocessor(&mut server, none, &["dpa"]).await.expect("updated");
        assert_eq!(one(&mut server, Kind::DpaDue, TODAY).await, since("", Severity::Warning));
        let source = v1::Subprocessor { role: v1::Role::DataSource.into(), ..aws };
        update_subprocessor(&mut server, source, &["role"]).await.expect("updated");
        assert_eq!(one(&mut server, Kind::DpaDue, TODAY).await, None);
    }

    async fn a_review_falls_due_on_its_day(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        vendor(&mut server, "aws").await;
        engage(&mut server, "aws", v1::Subprocessor { next_review_date: "2026-04-01".into(), ..whole("aws") }).await;
        assert_eq!(one(&mut server, Kind::ReviewDue, "2026-03-31").await, None);
        assert_eq!(one(&mut server, Kind::ReviewDue, "2026-04-01").await, since("2026-04-01", Severity::Warning));
        assert_eq!(one(&mut server, Kind::ReviewDue, "2026-04-02").await, since("2026-04-01", Severity::Warning));
    }

    async fn what_is_not_known_is_found_while_it_is_missing(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let bare = v1::Vendor { display_name: "Bare".into(), ..Default::default() };
        let request = v1::CreateVendorRequest { vendor_id: "bare".into(), vendor: Some(bare), ..Default::default() };
        server.vendors.create_vendor(request).await.expect("created");
        engage(&mut server, "bare", whole("bare")).await;
        assert_eq!(one(&mut server, Kind::AnnexIiiIncomplete, TODAY).await, since("", Severity::Warning));
        vendor(&mut server, "aws").await;
        let gaps = v1::Subprocessor {
            purposes: vec![],
            locations: vec![],
            incomplete_reason: "The text does not say.".into(),
            start_date: "2025-01-01".into(),
            ..whole("aws")
        };
        let aws = engage(&mut server, "aws", gaps).await;
        assert_eq!(one(&mut server, Kind::FactMissing, "2024-12-31").await, None);
        assert_eq!(one(&mut server, Kind::FactMissing, TODAY).await, since("2025-01-01", Severity::Warning));
        let found = of_kind(&mut server, Kind::FactMissing, TODAY).await.remove(0);
        assert!(found.text.contains("The text does not say."), "{found:?}");
        assert_eq!(one(&mut server, Kind::LocationNotStated, TODAY).await, since("2025-01-01", Severity::Warning));
        let seat = Location { region_code: "US".into(), activity: v1::location::Activity::Corporate.into(), ..Default::default() };
        let seated = v1::Subprocessor { locations: vec![seat], ..aws.clone() };
        update_subprocessor(&mut server, seated, &["locations"]).await.expect("updated");
        assert_eq!(one(&mut server, Kind::LocationNotStated, TODAY).await, since("2025-01-01", Severity::Warning));
        let known = v1::Subprocessor { start_date: aws.start_date.clone(), name: aws.name.clone(), ..whole("aws") };
        update_subprocessor(&mut server, known, &["purposes", "locations", "incomplete_reason"]).await.expect("updated");
        assert_eq!(kinds(&on(&mut server, TODAY).await), [Kind::AnnexIiiIncomplete].into());
    }

    async fn gates_that_were_passed_are_found(backend: Backend) {
        let (place, mut server) = acme(backend).await;
        vendor(&mut server, "aws").await;
        let proposed = v1::Subprocessor {
            dpa: None, state: 0, recorded_as_found: false, ..whole("aws")
        };
        let aws = subprocessor(&mut server, ACME, "aws", proposed.clone()).await.expect("proposed");
        activate(&mut server, &aws.name).await.expect("advised only");
        assert_eq!(one(&mut server, Kind::GateNotMet, TODAY).await, since(TODAY, Severity::Warning));
        assert_eq!(one(&mut server, Kind::GateNotMet, "2026-03-22").await, None);
        let signed = v1::Subprocessor { dpa: whole("aws").dpa, ..aws.clone() };
        update_subprocessor(&mut server, signed, &["dpa"]).await.expect("updated");
        assert_eq!(on(&mut server, TODAY).await, []);

        set_organization(&mut server, |one| {
            one.notice_policy =
                Some(v1::NoticePolicy { enforcement: Enforcement::Required.into(), ..Default::default() });
        }, &["notice_policy"]).await;
        let other = v1::Subprocessor { section: "Other".into(), ..proposed };
        let other = subprocessor(&mut server, ACME, "other", other).await.expect("proposed");
        crate::support::announce(&mut server, &other.name).await;
        place.set_clock("2026-03-24T10:00:00Z");
        let over = v1::Override { reason: "urgent".into(), approver: "dpo".into() };
        let request = v1::ActivateRequest { name: other.name.clone(), r#override: Some(over), ..Default::default() };
        server.subprocessors.activate(request).await.expect("overridden");
        assert_eq!(one(&mut server, Kind::GateOverridden, TODAY).await, None);
        assert_eq!(one(&mut server, Kind::GateOverridden, "2026-03-24").await, since("2026-03-24", Severity::Critical));
        let found = of_kind(&mut server, Kind::GateOverridden, "2026-03-24").await.remove(0);
        assert!(found.text.contains("urgent") && found.text.contains("dpo"), "{found:?}");
        // It stays when the gate is met, and when the engagement is over and gone.
        suspend(&mut server, &other.name).await.expect("suspended");
        let signed = v1::Subprocessor { dpa: whole("aws").dpa, ..other.clone() };
        update_subprocessor(&mut server, signed, &["dpa"]).await.expect("updated");
        let request = v1::DeleteSubprocessorRequest { name: other.name.clone(), ..Default::default() };
        server.subprocessors.delete_subprocessor(request).await.expect("deleted");
        assert_eq!(on(&mut server, "2030-01-01").await, [found]);
    }

    async fn values_and_statements_that_contradict_each_other_are_found(backend: Backend) {
        let (_place, mut server) = acme(backend).await;
        let street = |line: &str, postal_code: &str| Address {
            lines: vec![line.into()],
            locality: "New York".into(),
            postal_code: postal_code.into(),
            ..Default::default()
        };
        let at = [street("18 West 18th Street", "10010"), street("7 W. 18th St.", "10010"), street("1 Road", "10011")];
        set_organization(&mut server, |one| one.addresses = at.to_vec(), &["addresses"]).await;
        let found = of_kind(&mut server, Kind::Contradiction, TODAY).await.remove(0);
        assert_eq!((found.subject.as_str(), found.evidence.len()), (ACME, 2));
        assert_eq!((found.evidence[0].field.as_str(), found.evidence[1].field.as_str()), ("addresses[0]", "addresses[1]"));
        set_organization(&mut server, |one| one.addresses = vec![at[0].clone(), at[2].clone()], &["addresses"]).await;
        assert_eq!(on(&mut server, TODAY).await, []);

        let claim = |kind: claim::Kind, quote: &str| Claim { kind: kind.into(), quote: quote.into(), ..Default::default() };
        let never = Claim {
            affirmed: Some(false),
            items: vec!["sell".into(), "share".into()],
            ..claim(claim::Kind::SaleOfData, "we never share")
        };
        publish(&mut server, "policy", document::Kind::PrivacyPolicy, vec![never]).await;
        assert_eq!(on(&mut server, TODAY).await, []);
        vendor(&mut server, "aws").await;
        engage(&mut server, "aws", v1::Subprocessor { start_date: "2026-01-01".into(), ..whole("aws") }).await;
        assert_eq!(one(&mut server, Kind::Contradiction, "2025-12-31").await, None);
        assert_eq!(one(&mut server, Kind::Contradiction, TODAY).await, since("2026-01-01", Severity::Warning));

        let unused = Claim {
            affirmed: Some(false), subject: "vendors/aws".into(), ..claim(claim::Kind::SubprocessorUse, "not on AWS")
        };
        let kept = |duration: &str| {
            let retention = Retention {
                kind: retention::Kind::Fixed.into(), duration: duration.into(), data: "logs".into(), ..Default::default()
            };
            Claim { retention: Some(retention), ..claim(claim::Kind::Retention, duration) }
        };
        publish(&mut server, "terms", document::Kind::Dpa, vec![unused, kept("P30D")]).await;
        publish(&mut server, "white-paper", document::Kind::Other, vec![kept("P90D")]).await;
        let found = of_kind(&mut server, Kind::Contradiction, TODAY).await;
        let about: Vec<&str> = found.iter().map(|one| one.subject.rsplit('/').next().unwrap_or_default()).collect();
        assert_eq!(about, ["policy", "terms", "terms"]);
        let cited: Vec<&str> = found[2].evidence.iter().map(|one| one.quote.as_str()).collect();
        assert_eq!(cited, ["P30D", "P90D"]);
    }

    async fn certifications_fall_due_for_all_that_engage_the_vendor(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        organization(&mut server, "acme").await;
        organization(&mut server, "other").await;
        vendor(&mut server, "v").await;
        let dpf = Certification {
            framework: "instruments/eu-us-dpf".into(),
            status: Status::Active.into(),
            start_date: "2024-01-01".into(),
            next_due_date: "2026-05-01".into(),
            end_date: "2026-07-01".into(),
            ..Default::default()
        };
        let held = certify(&mut server, "vendors/v", dpf.clone()).await;
        assert_eq!(on(&mut server, "2026-08-01").await, [], "nobody engages it");
        for (id, section) in [("a", "A"), ("b", "B")] {
            engage(&mut server, id, v1::Subprocessor { section: section.into(), ..whole("v") }).await;
        }
        for (date, expected) in [
            ("2023-12-31", None),
            ("2026-04-30", None),
            ("2026-05-01", since("2026-05-01", Severity::Warning)),
            ("2026-06-30", since("2026-05-01", Severity::Warning)),
            ("2026-07-01", since("2026-07-01", Severity::Warning)),
        ] {
            assert_eq!(one(&mut server, Kind::CertificationDue, date).await, expected, "{date}");
        }
        let (due, lapsed) = (
            of_kind(&mut server, Kind::CertificationDue, "2026-05-01").await.remove(0),
            of_kind(&mut server, Kind::CertificationDue, "2026-07-01").await.remove(0),
        );
        assert!(due.name != lapsed.name && due.subject == held.name && lapsed.text.contains("LAPSED"), "{lapsed:?}");
        let everywhere = v1::ListFindingsRequest {
            parent: "organizations/-".into(), date: "2026-05-01".into(), ..Default::default()
        };
        assert_eq!(ask(&mut server, everywhere.clone()).await.len(), 1);
        subprocessor(&mut server, "organizations/other", "v", whole("v")).await.expect("engaged");
        let found = ask(&mut server, everywhere).await;
        let names: Vec<&str> = found.iter().map(|one| one.name.split('/').nth(1).unwrap_or_default()).collect();
        assert_eq!(names, ["acme", "other"]);
        // Its own, and one of an entity that nobody engages.
        set_organization(&mut server, |one| one.region_code = "US".into(), &["region_code"]).await;
        certify(&mut server, ACME, Certification { status: Status::Claimed.into(), ..dpf.clone() }).await;
        let own = of_kind(&mut server, Kind::CertificationDue, "2026-04-30").await;
        assert!(own.len() == 1 && own[0].subject.starts_with(ACME), "{own:?}");
    }

    async fn claims_are_unsupported_until_they_are_outdated(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true")]).await;
        organization(&mut server, "acme").await;
        let claim = Claim {
            kind: claim::Kind::TransferMechanism.into(),
            quote: "we comply with Privacy Shield".into(),
            line: 12,
            instrument: "instruments/eu-us-privacy-shield".into(),
            regime: v1::Regime::EuGdpr.into(),
            exporter_areas: vec![v1::ExporterArea::Eu.into()],
            participation: claim::Participation::Certified.into(),
            reliance: claim::Reliance::ReliedOn.into(),
            ..Default::default()
        };
        publish(&mut server, "policy", document::Kind::PrivacyPolicy, vec![claim.clone()]).await;
        assert_eq!(one(&mut server, Kind::ClaimUnsupported, "2020-07-15").await, since("2016-07-12", Severity::Warning));
        assert_eq!(one(&mut server, Kind::ClaimOutdated, "2020-07-15").await, None);
        assert_eq!(one(&mut server, Kind::ClaimUnsupported, "2020-07-16").await, None);
        assert_eq!(one(&mut server, Kind::ClaimOutdated, "2020-07-16").await, since("2020-07-16", Severity::Critical));
        let found = of_kind(&mut server, Kind::ClaimOutdated, TODAY).await.remove(0);
        assert_eq!((found.verdict(), found.since_date.as_str()), (v1::Verdict::Invalidated, "2020-07-16"));
        assert_eq!((found.evidence[0].quote.as_str(), found.evidence[0].line), (claim.quote.as_str(), 12));
        // What is on record supports it.
        set_organization(&mut server, |one| one.region_code = "US".into(), &["region_code"]).await;
        let shield = Certification {
            framework: claim.instrument.clone(),
            status: Status::Active.into(),
            start_date: "2017-01-01".into(),
            ..Default::default()
        };
        certify(&mut server, ACME, shield).await;
        assert_eq!(one(&mut server, Kind::ClaimUnsupported, "2016-12-31").await, since("2016-07-12", Severity::Warning));
        assert_eq!(one(&mut server, Kind::ClaimUnsupported, "2017-01-01").await, None);
        assert_eq!(one(&mut server, Kind::ClaimOutdated, TODAY).await, since("2020-07-16", Severity::Critical));
    }
}

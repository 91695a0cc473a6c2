//! AssessTransfers through the API: what is recorded, what follows from locations, fallbacks, onward transfers.

use subprocessor_registry::proto::v1::{
    self, Certification, Location, Mechanism, Regime, Subprocessor, Transfer, TransferAssessment, Verdict,
    certification::Status,
};
use tonic::Code;

use super::scene::{ACME, ask, certify, create, engaged, on, on_day, transfer, with_catalog};
use crate::support::{Server, both, refused, subprocessor};

both! {
    async fn a_fallback_takes_over_on_the_day_the_first_fails(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let mail = engaged(&mut server, "mail", "vendors/mailchimp", "US").await;
        let shield = Certification {
            framework: "instruments/eu-us-privacy-shield".into(),
            status: Status::Active.into(),
            start_date: "2016-11-01".into(),
            ..Default::default()
        };
        certify(&mut server, "vendors/mailchimp", shield).await.expect("created");
        let clauses = Mechanism { sign_date: "2018-05-25".into(), ..on("eu-scc-2010-87", 1) };
        let made = create(&mut server, "mail-us", transfer(&mail, "US", vec![on("eu-us-privacy-shield", 0), clauses]));
        let name = made.await.expect("created").name;
        let mut verdict = async |day: &str| {
            let answer = on_day(&mut server, &name, day).await;
            let [answer] = answer.as_slice() else { panic!("one answer: {answer:?}") };
            let each: Vec<Verdict> = answer.mechanism_assessments.iter().map(|one| one.verdict()).collect();
            (answer.verdict(), answer.valid_until_date.clone(), each)
        };
        use Verdict::{Expired, Invalidated, MissingTia, NotYetInForce, UnsupportedClaim, Valid};
        assert_eq!(verdict("2016-10-31").await.2, [UnsupportedClaim, NotYetInForce]);
        assert_eq!(verdict("2016-11-01").await, (Valid, "2020-07-16".into(), vec![Valid, NotYetInForce]));
        assert_eq!(verdict("2020-07-15").await, (Valid, "2020-07-16".into(), vec![Valid, Valid]));
        // From Schrems II on the clauses carry it, and want an assessment.
        assert_eq!(verdict("2020-07-16").await, (MissingTia, "2022-12-28".into(), vec![Invalidated, MissingTia]));
        assert_eq!(verdict("2022-12-28").await, (Expired, String::new(), vec![Invalidated, Expired]));
        let range = v1::AssessTransfersRequest {
            parent: name.clone(),
            from_date: "2016-10-30".into(),
            to_date: "2023-01-31".into(),
            ..Default::default()
        };
        let intervals = ask(&mut server, range).await;
        let days: Vec<(&str, &str, Verdict)> =
            intervals.iter().map(|one| (one.from_date.as_str(), one.end_date.as_str(), one.verdict())).collect();
        assert_eq!(days.first().map(|one| (one.0, one.2)), Some(("2016-10-30", UnsupportedClaim)));
        assert_eq!(days.last(), Some(&("2022-12-28", "2023-02-01", Expired)));
        assert!(days.windows(2).all(|pair| pair[0].1 == pair[1].0), "without gap or overlap: {days:?}");
        assert!(days.contains(&("2020-07-16", "2021-09-27", MissingTia)) || days.iter().any(|one| one.0 == "2020-07-16"));
        // A range equals its days.
        for one in &intervals {
            let day = on_day(&mut server, &name, &one.from_date).await.remove(0);
            assert_eq!(
                TransferAssessment { date: String::new(), from_date: one.from_date.clone(), end_date: one.end_date.clone(), ..day },
                *one
            );
        }
    }

    async fn locations_without_a_transfer_are_answered_too(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        engaged(&mut server, "inside", "vendors/hetzner", "DE").await;
        engaged(&mut server, "adequate", "vendors/keycdn", "CH").await;
        let us = engaged(&mut server, "overseas", "vendors/stripe", "US").await;
        let derived = |answers: &[TransferAssessment]| {
            let one = |a: &TransferAssessment| {
                let from = a.derived_from.as_ref().map(|from| from.subprocessor.rsplit('/').next().unwrap_or_default().to_owned());
                (from.unwrap_or_else(|| a.transfer.rsplit('/').next().unwrap_or_default().to_owned()), a.verdict())
            };
            answers.iter().map(one).collect::<Vec<_>>()
        };
        let named = |name: &str, verdict| (name.to_owned(), verdict);
        let expected = [named("adequate", Verdict::Valid), named("overseas", Verdict::NoMechanism)];
        assert_eq!(derived(&on_day(&mut server, ACME, "2024-01-01").await), expected);
        // Recorded from a day on, it is derived before that day only.
        let mechanism = Mechanism { sign_date: "2023-08-01".into(), ..on("eu-scc-2021-914", 0) };
        let recorded = Transfer { start_date: "2024-03-01".into(), ..transfer(&us, "US", vec![mechanism]) };
        create(&mut server, "stripe-us", recorded).await.expect("created");
        assert_eq!(derived(&on_day(&mut server, ACME, "2024-02-29").await), expected);
        let after = [named("stripe-us", Verdict::MissingTia), named("adequate", Verdict::Valid)];
        assert_eq!(derived(&on_day(&mut server, ACME, "2024-03-01").await), after);
        let range = v1::AssessTransfersRequest {
            parent: ACME.into(),
            from_date: "2024-02-01".into(),
            to_date: "2024-04-01".into(),
            page_size: 1,
            ..Default::default()
        };
        let days: Vec<(Verdict, String, String)> =
            ask(&mut server, range).await.into_iter().map(|a| (a.verdict(), a.from_date, a.end_date)).collect();
        let span = |verdict, from: &str, end: &str| (verdict, from.to_owned(), end.to_owned());
        assert_eq!(days, [
            span(Verdict::MissingTia, "2024-03-01", "2024-04-02"),
            span(Verdict::Valid, "2024-02-01", "2024-04-02"),
            span(Verdict::NoMechanism, "2024-02-01", "2024-03-01"),
        ]);
        // Somewhere in the world: that is no answer.
        let message = Subprocessor {
            display_name: "worldwide".into(),
            recorded_as_found: true,
            state: v1::subprocessor::State::Active.into(),
            locations: vec![Location { area: "GLOBAL".into(), verbatim: "worldwide".into(), ..Default::default() }],
            ..Default::default()
        };
        subprocessor(&mut server, ACME, "worldwide", message).await.expect("created");
        let all = derived(&on_day(&mut server, ACME, "2024-03-01").await);
        assert!(all.contains(&named("worldwide", Verdict::Indeterminate)), "{all:?}");
        // With a filter nothing is derived.
        let filtered = v1::AssessTransfersRequest {
            parent: ACME.into(),
            date: "2024-03-01".into(),
            filter: "regime = EU_GDPR".into(),
            ..Default::default()
        };
        assert_eq!(derived(&ask(&mut server, filtered).await), [named("stripe-us", Verdict::MissingTia)]);
    }

    async fn onward_transfers_need_cover_of_both(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let first = engaged(&mut server, "first", "vendors/mailchimp", "US").await;
        let second = engaged(&mut server, "second", "vendors/twilio", "IN").await;
        let dpf = Certification {
            framework: "instruments/eu-us-dpf".into(),
            status: Status::Active.into(),
            start_date: "2023-09-01".into(),
            end_date: "2025-09-01".into(),
            ..Default::default()
        };
        certify(&mut server, "vendors/mailchimp", dpf).await.expect("created");
        let above = create(&mut server, "to-us", transfer(&first, "US", vec![on("eu-us-dpf", 0)])).await.expect("created");
        let onward = Transfer {
            exporter: first.clone(),
            exporter_area: v1::ExporterArea::Unspecified.into(),
            exporter_region_code: "US".into(),
            onward_from: above.name.clone(),
            ..transfer(&second, "IN", Vec::new())
        };
        let name = create(&mut server, "to-in", onward.clone()).await.expect("created").name;
        let verdict = async |server: &mut Server, day: &str| on_day(server, &name, day).await.remove(0).verdict();
        assert_eq!(verdict(&mut server, "2024-01-01").await, Verdict::NoMechanism);
        // An agreement carries what came under a framework, for as long as it did.
        let update = Subprocessor {
            name: second.clone(),
            dpa: Some(v1::Dpa {
                status: v1::dpa::Status::Signed.into(),
                sign_date: "2024-02-01".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let request = v1::UpdateSubprocessorRequest { subprocessor: Some(update), ..Default::default() };
        server.subprocessors.update_subprocessor(request).await.expect("updated");
        assert_eq!(verdict(&mut server, "2024-01-31").await, Verdict::NoMechanism);
        assert_eq!(verdict(&mut server, "2024-02-01").await, Verdict::Valid);
        assert_eq!(verdict(&mut server, "2025-08-31").await, Verdict::Valid);
        assert!(verdict(&mut server, "2025-09-01").await >= Verdict::UnsupportedClaim);
        // From itself, or from another regime, nothing comes.
        let looped = Transfer { name: above.name.clone(), onward_from: name.clone(), ..Default::default() };
        let request = v1::UpdateTransferRequest { transfer: Some(looped), ..Default::default() };
        let refusal = server.mechanisms.update_transfer(request).await;
        refused(refusal, Code::InvalidArgument, "CHAIN_CYCLE", &["transfer.onward_from"]);
        let other = Transfer { regime: Regime::SwissFadp.into(), ..onward };
        let refusal = create(&mut server, "swiss", other).await;
        refused(refusal, Code::InvalidArgument, "FIELD_INVALID", &["transfer.onward_from"]);
    }

    async fn who_took_part_when(backend: Backend) {
        let (place, mut server) = with_catalog(backend).await;
        place.set_clock("2026-04-01T00:00:00Z");
        let entry = |status: Status, from: &str| v1::CertificationPeriod { status: status.into(), from_date: from.into() };
        let history = |entries: Vec<v1::CertificationPeriod>| Certification {
            framework: "instruments/eu-us-dpf".into(),
            status: entries.last().expect("one").status,
            history: entries,
            next_due_date: "2026-05-01".into(),
            ..Default::default()
        };
        let stripe = history(vec![entry(Status::Active, "2023-10-01"), entry(Status::Lapsed, "2024-10-01"), entry(Status::Active, "2025-01-01")]);
        let stripe = certify(&mut server, "vendors/stripe", stripe).await.expect("created");
        certify(&mut server, "vendors/aws", history(vec![entry(Status::InProcess, "2023-10-01")])).await.expect("created");
        let mut listed = async |parent: &str, filter: &str, effective_at: &str| {
            let request = v1::ListCertificationsRequest {
                parent: parent.into(),
                filter: filter.into(),
                effective_at: effective_at.into(),
                ..Default::default()
            };
            let answer = server.mechanisms.list_certifications(request).await.expect("listed").into_inner();
            answer.certifications.into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        let dpf = "framework = \"instruments/eu-us-dpf\"";
        assert_eq!(listed("vendors/-", dpf, "2024-05-01").await, [stripe.name.as_str()]);
        assert!(listed("vendors/-", dpf, "2023-09-30").await.is_empty());
        assert!(listed("vendors/-", dpf, "2024-10-01").await.is_empty());
        assert_eq!(listed("vendors/stripe", dpf, "2025-01-01").await, [stripe.name.as_str()]);
        assert_eq!(listed("vendors/-", "next_due_date <= \"2026-05-31\"", "").await.len(), 2);
        assert!(listed("organizations/-", "", "").await.is_empty());
        assert!(listed("vendors/aws", "status = ACTIVE", "").await.is_empty());
    }

    async fn what_cannot_be_is_refused(backend: Backend) {
        let (_place, mut server) = with_catalog(backend).await;
        let mail = engaged(&mut server, "mail", "vendors/mailchimp", "US").await;
        let fine = || transfer(&mail, "US", vec![on("eu-us-dpf", 0)]);
        type Change = fn(&mut Transfer);
        let cases: [(Change, &str); 10] = [
            (|t| t.regime = 0, "transfer.regime"),
            (|t| t.regime = 77, "transfer.regime"),
            (|t| t.exporter = "somebody".into(), "transfer.exporter"),
            (|t| t.importer = "vendors/stripe".into(), "transfer.importer"),
            (|t| t.exporter.clone_from(&t.importer), "transfer.importer"),
            (|t| t.destination_region_codes = vec!["UK".into()], "transfer.destination_region_codes[0]"),
            (|t| t.mechanisms[0].sign_date = "2023-02-30".into(), "transfer.mechanisms[0].sign_date"),
            (|t| t.mechanisms[0].document = "a drawer".into(), "transfer.mechanisms[0].document"),
            (|t| t.mechanisms[0].precedence = -1, "transfer.mechanisms[0].precedence"),
            (|t| t.exporter_role = 99, "transfer.exporter_role"),
        ];
        for (change, field) in cases {
            let mut wrong = fine();
            change(&mut wrong);
            refused(create(&mut server, "wrong", wrong).await, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
        let unknown = transfer(&mail, "US", vec![on("no-such-law", 0)]);
        refused(create(&mut server, "wrong", unknown).await, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
        // A wrong module is signed now and then: it is recorded, and judged.
        let module = Mechanism { module: v1::Module::Four.into(), ..on("eu-scc-2021-914", 0) };
        let made = create(&mut server, "odd", transfer(&mail, "US", vec![module])).await.expect("created");
        assert_eq!(on_day(&mut server, &made.name, "2024-01-01").await[0].verdict(), Verdict::ModuleMismatch);

        let dpf = Certification {
            framework: "instruments/eu-us-dpf".into(),
            status: Status::Active.into(),
            ..Default::default()
        };
        let entity = Certification { entity_id: "nobody".into(), ..dpf.clone() };
        refused(certify(&mut server, "vendors/aws", entity).await, Code::InvalidArgument, "FIELD_INVALID", &["certification.entity_id"]);
        refused(certify(&mut server, "vendors/hetzner", dpf.clone()).await, Code::InvalidArgument, "FIELD_INVALID", &["certification.entity_id"]);
        let clauses = Certification { framework: "instruments/eu-scc-2021-914".into(), ..dpf.clone() };
        refused(certify(&mut server, "vendors/aws", clauses).await, Code::InvalidArgument, "FIELD_INVALID", &["certification.framework"]);
        let entry = |from: &str| v1::CertificationPeriod { status: Status::Lapsed.into(), from_date: from.into() };
        let disordered = Certification { history: vec![entry("2024-01-01"), entry("2024-01-01")], ..dpf.clone() };
        refused(certify(&mut server, "vendors/aws", disordered).await, Code::InvalidArgument, "FIELD_INVALID",
            &["certification.history[1].from_date", "certification.status"]);
        refused(certify(&mut server, "vendors/-", dpf.clone()).await, Code::InvalidArgument, "FIELD_INVALID", &["parent"]);
        refused(certify(&mut server, "vendors/nobody", dpf).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);

        for (request, field) in [
            (v1::AssessTransfersRequest { date: "2024-01-01".into(), from_date: "2024-01-01".into(), ..Default::default() }, "date"),
            (v1::AssessTransfersRequest { from_date: "2024-01-02".into(), to_date: "2024-01-01".into(), ..Default::default() }, "to_date"),
            (v1::AssessTransfersRequest { from_date: "2024-01-02".into(), ..Default::default() }, "to_date"),
            (v1::AssessTransfersRequest { from_date: "1900-01-02".into(), to_date: "2101-01-01".into(), ..Default::default() }, "to_date"),
            (v1::AssessTransfersRequest { date: "never".into(), ..Default::default() }, "date"),
            (v1::AssessTransfersRequest { parent: "vendors/-".into(), ..Default::default() }, "parent"),
        ] {
            let parent = if request.parent.is_empty() { ACME.to_owned() } else { request.parent.clone() };
            let answer = server.mechanisms.assess_transfers(v1::AssessTransfersRequest { parent, ..request }).await;
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
    }
}

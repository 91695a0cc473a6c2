//! Single days, each with why: can this instrument support that transfer?

use subprocessor_registry::{
    proto::v1::{
        Certification, DataKind, Instrument, Mechanism, Role, Tia, Transfer, Verdict, certification::Status,
        instrument::Kind, tia::Outcome,
    },
    rules::law::{
        Law, covers,
        instrument::usable,
        transfer::{Subject, assess},
    },
};

use super::{area, facts, law, regime, text, texts};

/// The frameworks the recipient takes part in, always and for all data.
fn certifications(law: &Law, only: Option<Vec<String>>) -> Vec<Certification> {
    let frameworks = law.instruments().filter(|one| one.kind() == Kind::CertificationFramework);
    let takes_part =
        |name: &str| only.as_ref().is_none_or(|only| only.iter().any(|id| name == format!("instruments/{id}")));
    frameworks
        .filter(|one| takes_part(&one.name))
        .map(|one| Certification {
            framework: one.name.clone(),
            status: Status::Active.into(),
            covered_data: vec![DataKind::Hr.into(), DataKind::NonHr.into()],
            ..Default::default()
        })
        .collect()
}

/// The roles of an exporter and an importer inside the instrument's scope: clauses between controllers are not signed
/// with a processor.
fn roles(instrument: &Instrument) -> (Role, Role) {
    let or = |role: Role, other: Role| if role == Role::Unspecified { other } else { role };
    (or(instrument.exporter_role(), Role::Controller), or(instrument.importer_role(), Role::Processor))
}

#[test]
fn every_point_holds() {
    let law = law();
    let given = facts(include_str!("../../data/law/points.yaml"), "points");
    let more = facts(include_str!("../../data/law/more_points.yaml"), "points");
    assert!(given.len() >= 21 && more.len() >= 130);
    for point in given.iter().chain(&more) {
        let instrument = format!("instruments/{}", text(point, "instrument"));
        let known = law.instrument(&instrument).expect("a known instrument");
        let tia = Some(Tia { date: "1998-10-24".into(), outcome: Outcome::Adequate.into(), ..Default::default() });
        let on = |name: &str| Mechanism {
            instrument: name.to_owned(),
            sign_date: text(point, "contract_date").to_owned(),
            tia: tia.clone(),
            ..Default::default()
        };
        let papers = texts(point, "papers");
        let others = known.requires.iter().map(|one| one.instrument.as_str());
        let executed =
            others.filter(|one| papers.as_ref().is_none_or(|p| p.iter().any(|id| *one == format!("instruments/{id}"))));
        let mut transfer = Transfer {
            regime: regime(point).into(),
            exporter: "customers".into(),
            exporter_area: area(point).into(),
            destination_region_codes: vec![text(point, "destination").into()],
            mechanisms: std::iter::once(on(&instrument))
                .chain(executed.map(|one| Mechanism { precedence: 1, ..on(one) }))
                .collect(),
            ..Default::default()
        };
        transfer.importer_scope = text(point, "recipient").to_owned();
        let (exporter_role, importer_role) = roles(known);
        let certifications = certifications(&law, texts(point, "participation"));
        let subject = Subject {
            transfer: &transfer,
            exporter_role,
            importer_role,
            certifications: certifications.iter().collect(),
            dpa: None,
            onward_from: None,
        };
        let day = text(point, "date");
        let answer = assess(&law, &subject, day);
        let expected = point["usable"].as_bool().expect("an expectation");
        let by_dates = usable(known, regime(point), area(point), text(point, "contract_date"), day);
        // Where no transfer is restricted, no mechanism is tried: the instrument's own dates say what it could support.
        let supports = answer.mechanisms.first().map_or(by_dates, |mechanism| {
            assert_eq!(mechanism.instrument, instrument);
            // A derogation supports single transfers.
            covers(mechanism.verdict()) || mechanism.verdict() == Verdict::DerogationOnly
        });
        assert_eq!(supports, expected, "{point}: {answer:?}");
        assert!(by_dates || !expected, "{point}");
    }
}

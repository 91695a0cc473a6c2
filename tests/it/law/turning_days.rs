//! Every day on which the law of a transfer turned: the day before, the day, the day after. Written from the acts and
//! judgments named, not computed.

use subprocessor_registry::{
    proto::v1::{
        Certification, DataKind, ExporterArea, Mechanism, Regime, Role, Tia, Transfer, Verdict, certification::Status,
        instrument::Kind, tia::Outcome,
    },
    rules::law::transfer::{Subject, assess, valid_until},
};

use super::law;

use Verdict::{
    DerogationOnly as Derogation, Expired, Invalidated, MissingTia, NoMechanism, NotRestricted,
    NotYetInForce as NotYet, Valid,
};

/// Regime, area, instrument (empty: none), contract date, destination, the day, verdicts before, on and after it, why.
type Row =
    (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str, [Verdict; 3], &'static str);

const TURNS: &[Row] = &[
    // Frameworks for the United States.
    ("EU_GDPR", "EU", "us-eu-safe-harbor", "", "US", "2000-07-26", [NotYet, Valid, Valid], "Decision 2000/520/EC"),
    ("EU_GDPR", "EU", "us-eu-safe-harbor", "", "US", "2015-10-06", [Valid, Invalidated, Invalidated], "C-362/14"),
    ("EU_GDPR", "EEA_EFTA", "us-eu-safe-harbor", "", "US", "2015-10-06", [Valid, Invalidated, Invalidated], "C-362/14"),
    ("SWISS_FADP", "CH", "us-swiss-safe-harbor", "", "US", "2015-10-22", [Valid, Invalidated, Invalidated], "FDPIC"),
    ("EU_GDPR", "EU", "eu-us-privacy-shield", "", "US", "2016-07-12", [NotYet, Valid, Valid], "Decision 2016/1250"),
    (
        "EU_GDPR",
        "EEA_EFTA",
        "eu-us-privacy-shield",
        "",
        "US",
        "2017-07-08",
        [NotYet, Valid, Valid],
        "EEA Joint Committee",
    ),
    ("EU_GDPR", "EU", "eu-us-privacy-shield", "", "US", "2020-07-16", [Valid, Invalidated, Invalidated], "C-311/18"),
    ("SWISS_FADP", "CH", "swiss-us-privacy-shield", "", "US", "2017-01-11", [NotYet, Valid, Valid], "Federal Council"),
    ("SWISS_FADP", "CH", "swiss-us-privacy-shield", "", "US", "2020-09-08", [Valid, Invalidated, Invalidated], "FDPIC"),
    ("EU_GDPR", "EU", "eu-us-dpf", "", "US", "2023-07-10", [NotYet, Valid, Valid], "Decision (EU) 2023/1795"),
    ("UK_GDPR", "UK", "uk-extension-dpf", "", "US", "2023-10-12", [NotYet, Valid, Valid], "SI 2023/1028"),
    ("SWISS_FADP", "CH", "swiss-us-dpf", "", "US", "2024-09-15", [NotYet, Valid, Valid], "Federal Council"),
    // Clauses: the old sets, their transition, and the duty to assess.
    ("EU_GDPR", "EU", "eu-scc-2010-87", "2015-01-01", "US", "2020-07-16", [Valid, MissingTia, MissingTia], "C-311/18"),
    (
        "EU_GDPR",
        "EU",
        "eu-scc-2010-87",
        "2015-01-01",
        "US",
        "2022-12-28",
        [MissingTia, Expired, Expired],
        "2021/914 Art. 4(4)",
    ),
    (
        "EU_GDPR",
        "EU",
        "eu-scc-2004-915",
        "2015-01-01",
        "US",
        "2022-12-28",
        [MissingTia, Expired, Expired],
        "2021/914 Art. 4(4)",
    ),
    (
        "EU_GDPR",
        "EU",
        "eu-scc-2001-497",
        "2015-01-01",
        "US",
        "2022-12-28",
        [MissingTia, Expired, Expired],
        "2021/914 Art. 4(4)",
    ),
    (
        "EU_GDPR",
        "EU",
        "eu-scc-2002-16",
        "2009-01-01",
        "US",
        "2021-09-27",
        [MissingTia, Expired, Expired],
        "2021/914 Art. 4",
    ),
    (
        "EU_GDPR",
        "EU",
        "eu-scc-2021-914",
        "2021-06-27",
        "US",
        "2021-06-27",
        [NotYet, MissingTia, MissingTia],
        "2021/914 Art. 4(1)",
    ),
    (
        "UK_GDPR",
        "UK",
        "uk-legacy-eu-sccs",
        "2021-05-01",
        "US",
        "2024-03-22",
        [MissingTia, Expired, Expired],
        "SI 2022, transition",
    ),
    ("UK_GDPR", "UK", "uk-idta", "2022-03-21", "US", "2022-03-21", [NotYet, MissingTia, MissingTia], "s119A DPA 2018"),
    ("SWISS_FADP", "CH", "swiss-tdfa", "2014-01-01", "US", "2020-09-08", [Valid, MissingTia, MissingTia], "FDPIC"),
    ("SWISS_FADP", "CH", "swiss-tdfa", "2014-01-01", "US", "2023-01-01", [MissingTia, Expired, Expired], "FDPIC"),
    // Adequacy needs no papers, and so no mechanism.
    ("EU_GDPR", "EU", "", "", "CH", "2000-07-26", [NoMechanism, Valid, Valid], "Decision 2000/518/EC"),
    ("EU_GDPR", "EU", "", "", "AR", "2003-06-30", [NoMechanism, Valid, Valid], "Decision 2003/490/EC"),
    ("EU_GDPR", "EU", "", "", "BR", "2026-01-26", [NoMechanism, Valid, Valid], "the Commission's decision on Brazil"),
    ("EU_GDPR", "EU", "", "", "UY", "2012-08-21", [NoMechanism, Valid, Valid], "Decision 2012/484/EU"),
    ("EU_GDPR", "EU", "", "", "GB", "2021-01-01", [NotRestricted, Valid, Valid], "end of the transition; TCA Art. 782"),
    ("EU_GDPR", "EU", "", "", "GB", "2021-06-28", [Valid, Valid, Valid], "bridge, then Decision (EU) 2021/1772"),
    ("EU_GDPR", "EU", "", "", "GB", "2025-06-28", [Valid, Valid, Valid], "extended past its first sunset"),
    ("EU_GDPR", "EU", "", "", "GB", "2031-12-28", [Valid, NoMechanism, NoMechanism], "its second sunset"),
    ("EU_GDPR", "EU", "", "", "GI", "2021-01-01", [NotRestricted, NoMechanism, NoMechanism], "no bridge for Gibraltar"),
    ("UK_GDPR", "UK", "", "", "FR", "2021-01-01", [NotRestricted, Valid, Valid], "DPA 2018 Sch. 21"),
    // What is a part of a country shares its lot, under the decisions of others too.
    ("UK_GDPR", "UK", "", "", "RE", "2021-01-01", [NotRestricted, Valid, Valid], "DPA 2018 Sch. 21; Réunion is France"),
    ("UK_GDPR", "UK", "", "", "AX", "2021-01-01", [NotRestricted, Valid, Valid], "DPA 2018 Sch. 21; Åland is Finland"),
    ("SWISS_FADP", "CH", "", "", "YT", "2014-01-01", [NoMechanism, Valid, Valid], "Mayotte is France since 2014"),
    (
        "SWISS_FADP",
        "CH",
        "",
        "",
        "BL",
        "2012-01-01",
        [Valid, NoMechanism, NoMechanism],
        "Saint-Barthélemy left in 2012",
    ),
    ("SWISS_FADP", "CH", "", "", "GP", "2023-09-01", [Valid, Valid, Valid], "FDPIC list, then DPO Annex 1; France"),
    // Whoever joins the Union is inside it.
    ("EU_GDPR", "EU", "", "", "HU", "2004-05-01", [Valid, NotRestricted, NotRestricted], "Act of Accession 2003"),
    ("EU_GDPR", "EU", "", "", "PL", "2004-05-01", [NoMechanism, NotRestricted, NotRestricted], "Act of Accession 2003"),
    ("EU_GDPR", "EU", "", "", "BG", "2007-01-01", [NoMechanism, NotRestricted, NotRestricted], "Act of Accession 2005"),
    ("EU_GDPR", "EU", "", "", "HR", "2013-07-01", [NoMechanism, NotRestricted, NotRestricted], "Act of Accession 2011"),
    ("EU_GDPR", "EU", "", "", "YT", "2014-01-01", [NoMechanism, NotRestricted, NotRestricted], "outermost region"),
    // Derogations.
    (
        "EU_GDPR",
        "EU",
        "eu-derogation-art49-1-a",
        "",
        "US",
        "2018-05-25",
        [NotYet, Derogation, Derogation],
        "GDPR Art. 99(2)",
    ),
    (
        "EU_GDPR",
        "EU",
        "eu-directive-derogation-art26-1",
        "",
        "US",
        "2018-05-25",
        [Derogation, Expired, Expired],
        "GDPR Art. 94",
    ),
];

fn neighbours(day: &str) -> [String; 3] {
    let day: jiff::civil::Date = day.parse().expect("a day");
    [day.yesterday(), Ok(day), day.tomorrow()].map(|day| day.expect("a day").to_string())
}

#[test]
fn the_law_turns_on_its_days() {
    let law = law();
    let certifications: Vec<Certification> = law
        .instruments()
        .filter(|one| one.kind() == Kind::CertificationFramework)
        .map(|one| Certification { framework: one.name.clone(), status: Status::Active.into(), ..Default::default() })
        .collect();
    for (regime, area, instrument, contract_date, destination, day, verdicts, why) in TURNS {
        let name = format!("instruments/{instrument}");
        let known = law.instrument(&name);
        assert!(known.is_some() || instrument.is_empty(), "{instrument}");
        let mechanism =
            known.map(|_| Mechanism { instrument: name, sign_date: (*contract_date).into(), ..Default::default() });
        let transfer = Transfer {
            regime: Regime::from_str_name(&format!("REGIME_{regime}")).expect("a regime").into(),
            exporter_area: ExporterArea::from_str_name(&format!("EXPORTER_AREA_{area}")).expect("an area").into(),
            destination_region_codes: vec![(*destination).into()],
            mechanisms: mechanism.into_iter().collect(),
            ..Default::default()
        };
        let (exporter_role, importer_role) = match known.map(|one| (one.exporter_role(), one.importer_role())) {
            Some((exporter, importer)) if exporter != Role::Unspecified => (exporter, importer),
            _ => (Role::Controller, Role::Processor),
        };
        let subject = Subject {
            transfer: &transfer,
            exporter_role,
            importer_role,
            certifications: certifications.iter().collect(),
            dpa: None,
            onward_from: None,
        };
        for (day, expected) in neighbours(day).iter().zip(verdicts) {
            let answer = assess(&law, &subject, day);
            assert_eq!(
                answer.verdict, *expected,
                "{regime} {area} {instrument} to {destination} on {day} ({why}): {answer:?}"
            );
        }
        let [before, on, _] = neighbours(day);
        if verdicts[0] != verdicts[1] {
            assert_eq!(valid_until(&law, &subject, &before, verdicts[0]), Some(on), "{instrument} to {destination}");
        }
    }
}

/// An assessment made in time keeps what C-311/18 asks one for.
#[test]
fn an_assessment_in_time_keeps_the_clauses() {
    let law = law();
    let tia =
        |date: &str, outcome: Outcome| Some(Tia { date: date.into(), outcome: outcome.into(), ..Default::default() });
    let verdict = |tia: Option<Tia>, day: &str| {
        let transfer = Transfer {
            regime: Regime::EuGdpr.into(),
            exporter_area: ExporterArea::Eu.into(),
            destination_region_codes: vec!["IN".into()],
            data: vec![DataKind::NonHr.into()],
            mechanisms: vec![Mechanism {
                instrument: "instruments/eu-scc-2021-914".into(),
                sign_date: "2021-07-01".into(),
                tia,
                ..Default::default()
            }],
            ..Default::default()
        };
        let subject = Subject {
            transfer: &transfer,
            exporter_role: Role::Controller,
            importer_role: Role::Processor,
            certifications: Vec::new(),
            dpa: None,
            onward_from: None,
        };
        assess(&law, &subject, day).verdict
    };
    let made = || tia("2022-01-01", Outcome::AdequateWithMeasures);
    assert_eq!(["2021-12-31", "2022-01-01", "2022-01-02"].map(|day| verdict(made(), day)), [MissingTia, Valid, Valid]);
    assert_eq!(verdict(tia("2022-01-01", Outcome::NotAdequate), "2022-01-01"), Verdict::UnsupportedClaim);
    assert_eq!(verdict(None, "2022-01-01"), MissingTia);
}

//! What holds for any transfer, whatever its mechanisms, papers, certifications and dates.

use std::{collections::BTreeSet, sync::LazyLock};

use proptest::{collection::vec, option, prelude::*, sample::select, test_runner::RngSeed};
use subprocessor_registry::{
    proto::v1::{
        Approval, Certification, CertificationPeriod, DataKind, Dpa, ExporterArea, Mechanism, Module, Regime, Role,
        Tia, Transfer, Verdict, certification::Status, dpa::Status as DpaStatus, period::EndReason, tia::Outcome,
    },
    rules::law::{
        Law, covers,
        days::day_before,
        transfer::{Subject, assess, collect_dates, intervals, valid_until},
    },
};

use super::law;

static LAW: LazyLock<Law> = LazyLock::new(law);

/// Everything an answer depends on, but the law.
#[derive(Debug, Clone)]
struct Facts {
    transfer: Transfer,
    exporter_role: Role,
    importer_role: Role,
    certifications: Vec<Certification>,
    dpa: Option<Dpa>,
    above: Option<Box<Facts>>,
}

impl Facts {
    fn subject(&self) -> Subject<'_> {
        Subject {
            transfer: &self.transfer,
            exporter_role: self.exporter_role,
            importer_role: self.importer_role,
            certifications: self.certifications.iter().collect(),
            dpa: self.dpa.as_ref(),
            onward_from: self.above.as_ref().map(|above| Box::new(above.subject())),
        }
    }

    /// Every day that some fact names, with the day before it.
    fn days(&self) -> BTreeSet<String> {
        let mut dates = BTreeSet::new();
        collect_dates(&LAW, &self.subject(), &mut dates);
        let before: Vec<String> = dates.iter().filter_map(|day| day_before(day)).collect();
        dates.extend(before);
        dates
    }
}

fn day() -> impl Strategy<Value = String> {
    (1999..2030, 1..13, 1..29).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}"))
}

fn date() -> impl Strategy<Value = String> {
    prop_oneof![2 => Just(String::new()), 3 => day()]
}

fn regime() -> impl Strategy<Value = Regime> {
    select(vec![Regime::EuGdpr, Regime::UkGdpr, Regime::SwissFadp])
}

fn instrument() -> impl Strategy<Value = String> {
    // Those that say something about these destinations come up more often.
    let all: Vec<String> = LAW.instruments().map(|one| one.name.clone()).collect();
    let near = ["scc", "us-", "uk-", "swiss", "bcr", "shield", "harbor", "japan"];
    let often: Vec<String> = all.iter().filter(|name| near.iter().any(|part| name.contains(part))).cloned().collect();
    prop_oneof![3 => select(often), 1 => select(all)]
}

fn mechanism() -> impl Strategy<Value = Mechanism> {
    let module = select(vec![Module::Unspecified, Module::One, Module::Two, Module::Three, Module::Four]);
    let outcome = select(vec![Outcome::Adequate, Outcome::AdequateWithMeasures, Outcome::NotAdequate]);
    let tia = option::of((day(), outcome));
    let approval = option::of((date(), any::<bool>()));
    (instrument(), 0..3i32, module, date(), date(), tia, approval).prop_map(
        |(instrument, precedence, module, sign_date, end_date, tia, approval)| Mechanism {
            instrument,
            precedence,
            module: module.into(),
            sign_date,
            end_date,
            tia: tia.map(|(date, outcome)| Tia { date, outcome: outcome.into(), ..Default::default() }),
            approval: approval.map(|(date, refused)| Approval { date, refused, ..Default::default() }),
            ..Default::default()
        },
    )
}

fn certification() -> impl Strategy<Value = Certification> {
    let frameworks: Vec<String> = LAW
        .instruments()
        .filter(|one| one.kind() == subprocessor_registry::proto::v1::instrument::Kind::CertificationFramework)
        .map(|one| one.name.clone())
        .collect();
    let status = || select(vec![Status::Active, Status::Active, Status::Lapsed, Status::InProcess, Status::Claimed]);
    let data = select(vec![vec![], vec![DataKind::Hr], vec![DataKind::NonHr], vec![DataKind::Hr, DataKind::NonHr]]);
    (select(frameworks), status(), date(), date(), vec((status(), day()), 0..3), data).prop_map(
        |(framework, status, start_date, end_date, history, data)| Certification {
            framework,
            status: status.into(),
            start_date,
            end_date,
            history: history
                .into_iter()
                .map(|(status, from_date)| CertificationPeriod { status: status.into(), from_date })
                .collect(),
            covered_data: data.into_iter().map(Into::into).collect(),
            ..Default::default()
        },
    )
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Controller, Role::Processor, Role::SubProcessor, Role::Both, Role::NotStated])
}

fn facts() -> impl Strategy<Value = Facts> {
    let one = || {
        let areas = vec![
            ExporterArea::Unspecified,
            ExporterArea::Eu,
            ExporterArea::EeaEfta,
            ExporterArea::Uk,
            ExporterArea::Ch,
        ];
        let region = select(vec!["", "", "DE", "GB", "CH", "US", "NO"]);
        let destinations = vec(select(vec!["US", "US", "JP", "GB", "IN", "CA", "DE", "GP"]), 0..3);
        let data = select(vec![vec![], vec![DataKind::Hr], vec![DataKind::NonHr]]);
        let scope = select(vec!["", "", "", "COMMERCIAL", "PUBLIC_SECTOR"]);
        let dpa = option::of((select(vec![DpaStatus::Signed, DpaStatus::Expired]), date(), date()));
        let transfer = (regime(), select(areas), region, destinations, data, scope, vec(mechanism(), 0..4));
        (transfer, role(), role(), vec(certification(), 0..3), dpa).prop_map(
            |(
                (regime, area, region, destinations, data, scope, mechanisms),
                exporter_role,
                importer_role,
                certifications,
                dpa,
            )| {
                let transfer = Transfer {
                    regime: regime.into(),
                    exporter_area: area.into(),
                    exporter_region_code: region.into(),
                    destination_region_codes: destinations.into_iter().map(str::to_owned).collect(),
                    data: data.into_iter().map(Into::into).collect(),
                    importer_scope: scope.into(),
                    mechanisms,
                    ..Default::default()
                };
                let dpa = dpa.map(|(status, sign_date, expire_date)| Dpa {
                    status: status.into(),
                    sign_date,
                    expire_date,
                    ..Default::default()
                });
                Facts { transfer, exporter_role, importer_role, certifications, dpa, above: None }
            },
        )
    };
    (one(), option::weighted(0.4, one())).prop_map(|(below, above)| {
        let above = above.map(|mut above| {
            // An onward transfer is under the regime of the one above it.
            above.transfer.regime = below.transfer.regime;
            Box::new(above)
        });
        Facts { above, ..below }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_changes_only_on_a_day_that_some_fact_names(facts in facts(), day in day()) {
        let subject = facts.subject();
        let mut dates = BTreeSet::new();
        collect_dates(&LAW, &subject, &mut dates);
        let begun = dates.range(..=day.clone()).next_back();
        // Nothing happens between the last day that is named and this one.
        let earlier = begun.cloned().unwrap_or_else(|| "1950-01-01".to_owned());
        prop_assert_eq!(assess(&LAW, &subject, &earlier), assess(&LAW, &subject, &day));
    }

    #[test]
    fn another_mechanism_never_makes_it_worse(facts in facts(), another in mechanism(), day in day()) {
        let mut more = facts.clone();
        more.transfer.mechanisms.push(another);
        for day in more.days().into_iter().chain([day]) {
            let before = assess(&LAW, &facts.subject(), &day).verdict;
            let after = assess(&LAW, &more.subject(), &day).verdict;
            prop_assert!(after <= before, "{} became {} on {}", before.as_str_name(), after.as_str_name(), day);
        }
    }

    #[test]
    fn a_range_equals_its_days(facts in facts(), from in day(), to in day()) {
        let (from, to) = if from <= to { (from, to) } else { (to, from) };
        let subject = facts.subject();
        let intervals = intervals(&LAW, &subject, &from, &to);
        prop_assert_eq!(&intervals[0].from_date, &from);
        prop_assert!(intervals.last().is_some_and(|last| last.end_date.is_none()));
        prop_assert!(intervals.windows(2).all(|pair| pair[0].end_date.as_ref() == Some(&pair[1].from_date) && pair[0].answer != pair[1].answer));
        let inside = facts.days().into_iter().filter(|day| from <= *day && *day <= to);
        for day in inside.chain([from.clone(), to.clone()]) {
            let of = intervals.iter().rev().find(|one| one.from_date <= day).expect("one of them");
            prop_assert_eq!(&of.answer, &assess(&LAW, &subject, &day), "{}", day);
        }
    }

    #[test]
    fn it_holds_until_the_day_that_is_said(facts in facts(), day in day()) {
        let subject = facts.subject();
        let now = assess(&LAW, &subject, &day).verdict;
        match valid_until(&LAW, &subject, &day, now) {
            Some(until) => {
                prop_assert_ne!(assess(&LAW, &subject, &until).verdict, now);
                let before = day_before(&until).expect("a day");
                prop_assert_eq!(assess(&LAW, &subject, &before).verdict, now);
            }
            None => prop_assert_eq!(assess(&LAW, &subject, "2199-12-31").verdict, now),
        }
    }

    #[test]
    fn where_an_instrument_has_ended_nothing_rests_on_it(facts in facts(), end in day(), name in instrument()) {
        let ended = LAW.ending(&name, &end, &[], EndReason::CourtInvalidation);
        for day in facts.days().into_iter().chain([end.clone()]) {
            let (with, without) = (assess(&LAW, &facts.subject(), &day), assess(&ended, &facts.subject(), &day));
            if day < end {
                // It stands as it stood, but for what was to begin later.
                let verdicts = (with.verdict, without.verdict);
                prop_assert!(with == without || verdicts.0 == Verdict::NotYetInForce, "{} on {}", name, day);
                continue;
            }
            let rests = without.mechanisms.iter().any(|one| one.instrument == name && covers(one.verdict()));
            prop_assert!(!rests, "something rests on {} on {}", name, day);
            prop_assert!(!covers(without.verdict) || covers(with.verdict), "covered by its end on {}", day);
        }
    }
}

//! The law on what five companies published: the examples that the binary carries.

use subprocessor_registry::proto::v1::{
    self, ClaimAssessment, Regime, TransferAssessment,
    Verdict::{self, Indeterminate, Invalidated, NoMechanism, UnsupportedClaim},
};

use super::scene::on_day;
use crate::support::{Place, Server, both};

const EXAMPLES: &[(&str, &str)] = &[("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")];

/// What was said, of what, under which assumption.
fn said(answers: &[TransferAssessment]) -> Vec<(String, Verdict, bool)> {
    let what = |one: &TransferAssessment| match &one.derived_from {
        Some(from) => format!("{} {}", from.subprocessor, from.verbatim),
        None => one.transfer.clone(),
    };
    answers.iter().map(|one| (what(one), one.verdict(), one.assumed)).collect()
}

async fn claims(server: &mut Server, parent: &str, date: &str) -> Vec<ClaimAssessment> {
    let request =
        v1::AssessClaimsRequest { parent: parent.into(), date: date.into(), page_size: 1_000, ..Default::default() };
    server.mechanisms.assess_claims(request).await.expect("answers").into_inner().assessments
}

/// The verdicts of the claims of an instrument, each with whether it can be used.
fn of<'a>(
    claims: &'a [ClaimAssessment],
    instrument: &'a str,
    regime: Regime,
) -> impl Iterator<Item = (Verdict, bool)> + 'a {
    let instrument = format!("instruments/{instrument}");
    let named = claims.iter().filter(move |one| one.instrument == instrument && one.regime() == regime);
    named.map(|one| (one.verdict(), one.instrument_usable))
}

both! {
    async fn transfers_that_rest_on_nothing(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, EXAMPLES).await;
        for day in ["2019-01-01", "2024-01-01", "2026-03-23"] {
            let cloudengage = said(&on_day(&mut server, "organizations/cloudengage", day).await);
            assert_eq!(cloudengage, [("organizations/cloudengage/transfers/customers-us".to_owned(), NoMechanism, true)]);
            let prodsmart = said(&on_day(&mut server, "organizations/prodsmart", day).await);
            assert_eq!(prodsmart, [
                ("organizations/prodsmart/transfers/customers-us".to_owned(), NoMechanism, true),
                ("organizations/prodsmart/transfers/recipients-worldwide".to_owned(), Indeterminate, true),
            ]);
        }
    }

    async fn frameworks_that_are_claimed(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, EXAMPLES).await;
        let optymyze = "organizations/optymyze";
        // Safe Harbor fell for the EU on 2015-10-06 (C-362/14), for Switzerland by the FDPIC on 2015-10-22.
        for (framework, regime, last, first) in [
            ("us-eu-safe-harbor", Regime::EuGdpr, "2015-10-05", "2015-10-06"),
            ("us-swiss-safe-harbor", Regime::SwissFadp, "2015-10-21", "2015-10-22"),
        ] {
            let before = claims(&mut server, optymyze, last).await;
            assert!(of(&before, framework, regime).all(|one| one.0 == UnsupportedClaim), "{before:?}");
            let after = claims(&mut server, optymyze, first).await;
            let answers: Vec<_> = of(&after, framework, regime).collect();
            assert!(!answers.is_empty() && answers.iter().all(|one| *one == (Invalidated, false)), "{after:?}");
        }
        // In the process of certifying is no participation: in force, and not to be used.
        let concert = claims(&mut server, "organizations/concert-cloud", "2019-08-27").await;
        let mut shield = of(&concert, "eu-us-privacy-shield", Regime::EuGdpr).chain(of(&concert, "swiss-us-privacy-shield", Regime::SwissFadp));
        assert_eq!(shield.next(), Some((UnsupportedClaim, false)));
        assert!(shield.all(|one| one == (UnsupportedClaim, false)));
        // Its clauses are those of 2010 until the end of the transition.
        for (day, usable) in [("2019-08-27", true), ("2022-12-27", true), ("2022-12-28", false)] {
            let concert = claims(&mut server, "organizations/concert-cloud", day).await;
            let clauses: Vec<_> = of(&concert, "eu-scc-2010-87", Regime::EuGdpr).collect();
            assert!(!clauses.is_empty() && clauses.iter().all(|one| one.1 == usable), "{day}: {clauses:?}");
        }
    }
}

//! Claims of published documents: usable if what they say is true, and what the document alone proves.

use subprocessor_registry::{
    proto::v1::{
        Claim, Document, Regime, Verdict,
        claim::{Participation, Reliance},
        document::Kind,
    },
    rules::law::claim::assess,
};

use super::{area, facts, law, regime, text, texts};

#[test]
fn every_claim_is_worth_what_the_law_says() {
    let law = law();
    let claims = facts(include_str!("../../data/law/claims.yaml"), "claims");
    assert!(claims.len() >= 26);
    for fact in &claims {
        let participation = format!("PARTICIPATION_{}", text(fact, "participation"));
        let reliance = format!("RELIANCE_{}", text(fact, "reliance"));
        let claim = Claim {
            instrument: format!("instruments/{}", text(fact, "instrument")),
            regime: regime(fact).into(),
            exporter_areas: vec![area(fact).into()],
            contract_date: text(fact, "contract_date").to_owned(),
            participation: Participation::from_str_name(&participation).expect("a participation").into(),
            reliance: Reliance::from_str_name(&reliance).expect("a reliance").into(),
            ..Default::default()
        };
        let elsewhere = |key: &str| texts(fact, key).unwrap_or_default().into_iter().map(|id| Claim {
            instrument: format!("instruments/{id}"),
            regime: Regime::EuGdpr.into(),
            participation: Participation::Certified.into(),
            ..Default::default()
        });
        let others = elsewhere("also_participates_in").chain(elsewhere("also_papers"));
        let kind = match text(fact, "document_type") {
            "CONTRACT_TERMS" => Kind::Dpa,
            "POLICY" => Kind::PrivacyPolicy,
            _ => Kind::Other,
        };
        let document =
            Document { kind: kind.into(), claims: std::iter::once(claim.clone()).chain(others).collect(), ..Default::default() };
        let worth = assess(&law, &document, &claim, text(fact, "observed_on")).expect("an answer");
        let expected = &fact["expected"];
        assert_eq!(Some(worth.instrument_usable), expected["instrument_usable"].as_bool(), "{fact}: {worth:?}");
        let verdict = format!("VERDICT_{}", text(expected, "transfer_verdict_from_documents_only"));
        assert_eq!(worth.verdict, Verdict::from_str_name(&verdict).expect("a verdict"), "{fact}: {worth:?}");
    }
}

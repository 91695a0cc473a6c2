//! Claims of published documents: usable if what they say is true, and what the document alone proves.

use serde_json::Value as Json;
use subprocessor_registry::proto::v1::{
    self, Claim, Document, Regime,
    claim::{Participation, Reliance},
    document::Kind,
};
use tonic::Code;

use super::{area, facts, regime, text, texts};
use crate::support::{Place, Server, both, organization, refused};

const WITH_CATALOG: &[(&str, &str)] = &[("CATALOG__LOAD", "true")];

/// The document that a fact was read in: the claim, and what else it says.
fn document(fact: &Json) -> Document {
    let participation = format!("PARTICIPATION_{}", text(fact, "participation"));
    let reliance = format!("RELIANCE_{}", text(fact, "reliance"));
    let claim = Claim {
        kind: v1::claim::Kind::TransferMechanism.into(),
        quote: text(fact, "quote").to_owned(),
        instrument: format!("instruments/{}", text(fact, "instrument")),
        regime: regime(fact).into(),
        exporter_areas: vec![area(fact).into()],
        contract_date: text(fact, "contract_date").to_owned(),
        participation: Participation::from_str_name(&participation).expect("a participation").into(),
        reliance: Reliance::from_str_name(&reliance).expect("a reliance").into(),
        ..Default::default()
    };
    let elsewhere = |key: &str| {
        texts(fact, key).unwrap_or_default().into_iter().map(|id| Claim {
            kind: v1::claim::Kind::TransferMechanism.into(),
            quote: id.clone(),
            instrument: format!("instruments/{id}"),
            regime: Regime::EuGdpr.into(),
            exporter_areas: vec![v1::ExporterArea::Eu.into()],
            participation: Participation::Certified.into(),
            ..Default::default()
        })
    };
    let others = elsewhere("also_participates_in").chain(elsewhere("also_papers"));
    let kind = match text(fact, "document_type") {
        "CONTRACT_TERMS" => Kind::Dpa,
        "POLICY" => Kind::PrivacyPolicy,
        _ => Kind::Other,
    };
    Document {
        title: text(fact, "organisation").to_owned(),
        kind: kind.into(),
        claims: std::iter::once(claim).chain(others).collect(),
        ..Default::default()
    }
}

async fn assess(server: &mut Server, parent: &str, date: &str) -> v1::AssessClaimsResponse {
    let request = v1::AssessClaimsRequest { parent: parent.into(), date: date.into(), ..Default::default() };
    server.mechanisms.assess_claims(request).await.expect("an answer").into_inner()
}

both! {
    async fn every_claim_is_worth_what_the_law_says(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, WITH_CATALOG).await;
        organization(&mut server, "claimants").await;
        let claims = facts(include_str!("../../data/law/claims.yaml"), "claims");
        assert!(claims.len() >= 26);
        for (i, fact) in claims.iter().enumerate() {
            let request = v1::CreateDocumentRequest {
                parent: "organizations/claimants".into(),
                document_id: format!("claim-{i}"),
                document: Some(document(fact)),
                ..Default::default()
            };
            let created = server.organizations.create_document(request).await.expect("created").into_inner();
            let answer = assess(&mut server, &created.name, text(fact, "observed_on")).await;
            let worth = &answer.assessments[0];
            assert_eq!((worth.claim_index, worth.quote.as_str()), (0, created.claims[0].quote.as_str()));
            let expected = &fact["expected"];
            assert_eq!(Some(worth.instrument_usable), expected["instrument_usable"].as_bool(), "{fact}: {worth:?}");
            let verdict = format!("VERDICT_{}", text(expected, "transfer_verdict_from_documents_only"));
            assert_eq!(worth.verdict().as_str_name(), verdict, "{fact}: {worth:?}");
            assert!(worth.reasons.iter().all(|reason| !reason.text.is_empty() && reason.code != 0), "{worth:?}");
        }
        // All of them, page by page, are the same answers.
        let mut request = v1::AssessClaimsRequest {
            parent: "organizations/-".into(),
            date: "2024-10-18".into(),
            page_size: 7,
            ..Default::default()
        };
        let mut paged = Vec::new();
        loop {
            let page = server.mechanisms.assess_claims(request.clone()).await.expect("a page").into_inner();
            paged.extend(page.assessments);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let whole = assess(&mut server, "organizations/claimants", "2024-10-18").await;
        assert_eq!(paged, whole.assessments);
        assert_eq!(whole.date, "2024-10-18");
    }

    async fn the_policies_claims_fall_on_their_days(backend: Backend) {
        let place = Place::new(backend).await;
        let changes = [WITH_CATALOG, &[("EXAMPLES__LOAD", "true")]].concat();
        let mut server = Server::start_with(&place, &changes).await;
        let mut said = async |organization: &str, instrument: &str, date: &str| {
            let parent = format!("organizations/{organization}");
            let answer = assess(&mut server, &parent, date).await.assessments;
            let of = |worth: &&v1::ClaimAssessment| worth.instrument == format!("instruments/{instrument}");
            let found: Vec<_> = answer.iter().filter(of).map(|w| (w.instrument_usable, w.verdict())).collect();
            assert!(!found.is_empty() && found.iter().all(|one| one == &found[0]), "{answer:?}");
            found[0]
        };
        use v1::Verdict::{Expired, Invalidated, UnsupportedClaim};
        assert_eq!(said("optymyze", "us-eu-safe-harbor", "2015-10-05").await, (true, UnsupportedClaim));
        assert_eq!(said("optymyze", "us-eu-safe-harbor", "2015-10-06").await, (false, Invalidated));
        assert_eq!(said("optymyze", "us-swiss-safe-harbor", "2015-10-21").await, (true, UnsupportedClaim));
        assert_eq!(said("optymyze", "us-swiss-safe-harbor", "2015-10-22").await, (false, Invalidated));
        // In force, but participation only in process.
        assert_eq!(said("concert-cloud", "eu-us-privacy-shield", "2019-08-27").await, (false, UnsupportedClaim));
        assert_eq!(said("concert-cloud", "swiss-us-privacy-shield", "2019-08-27").await, (false, UnsupportedClaim));
        assert_eq!(said("concert-cloud", "eu-us-privacy-shield", "2020-07-16").await, (false, Invalidated));
        assert_eq!(said("concert-cloud", "eu-scc-2010-87", "2022-12-27").await, (true, UnsupportedClaim));
        assert_eq!(said("concert-cloud", "eu-scc-2010-87", "2022-12-28").await, (false, Expired));
    }

    async fn what_is_asked_wrongly_is_refused(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, WITH_CATALOG).await;
        organization(&mut server, "acme").await;
        let mut ask = async |parent: &str, date: &str, page_token: &str| {
            let request = v1::AssessClaimsRequest {
                parent: parent.into(),
                date: date.into(),
                page_token: page_token.into(),
                ..Default::default()
            };
            server.mechanisms.assess_claims(request).await
        };
        for (parent, date, token, field) in [
            ("", "", "", "parent"),
            ("vendors/aws", "", "", "parent"),
            ("organizations/acme", "2015-02-30", "", "date"),
            ("organizations/acme", "tomorrow", "", "date"),
            ("organizations/acme", "", "forged", "page_token"),
            ("organizations/acme/documents/policy", "", "any", "page_token"),
        ] {
            let reason = if field == "page_token" && token == "forged" { "PAGE_TOKEN_INVALID" } else { "FIELD_INVALID" };
            refused(ask(parent, date, token).await, Code::InvalidArgument, reason, &[field]);
        }
        let none = ask("organizations/acme/documents/policy", "", "").await;
        refused(none, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        refused(ask("organizations/none", "", "").await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
    }
}

//! The five example organizations, judged as a privacy lawyer would.

use std::collections::BTreeMap;

use subprocessor_registry::proto::v1::{
    Finding, ListFindingsRequest,
    finding::{Kind, Severity},
};

use super::ask;
use crate::support::{Place, Server, both};

async fn of(server: &mut Server, organization: &str, date: &str) -> Vec<Finding> {
    let parent = format!("organizations/{organization}");
    ask(server, ListFindingsRequest { parent, date: date.into(), ..Default::default() }).await
}

/// How many there are of each kind.
fn counts(found: &[Finding]) -> BTreeMap<Kind, usize> {
    let mut counts = BTreeMap::new();
    for one in found {
        *counts.entry(one.kind()).or_default() += 1;
    }
    counts
}

fn texts(finding: &Finding) -> Vec<&str> {
    finding.evidence.iter().map(|one| one.text.as_str()).collect()
}

both! {
    async fn each_is_found_what_its_text_lacks_and_nothing_else(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")]).await;
        use Kind::{
            AnnexIiiIncomplete, ClaimOutdated, Contradiction, DpaDue, FactMissing, LocationNotStated, TransferNotCovered,
        };
        for (organization, expected) in [
            ("cloudengage", vec![(LocationNotStated, 6), (DpaDue, 6), (AnnexIiiIncomplete, 2), (FactMissing, 7), (TransferNotCovered, 1)]),
            ("concert-cloud", vec![(LocationNotStated, 4), (ClaimOutdated, 3), (FactMissing, 5), (Contradiction, 1)]),
            ("crescendo", vec![(LocationNotStated, 2), (DpaDue, 2), (FactMissing, 3), (Contradiction, 1)]),
            ("optymyze", vec![(LocationNotStated, 3), (ClaimOutdated, 2), (FactMissing, 3)]),
            ("prodsmart", vec![(LocationNotStated, 6), (DpaDue, 1), (AnnexIiiIncomplete, 1), (FactMissing, 7), (TransferNotCovered, 2)]),
        ] {
            let found = of(&mut server, organization, "2026-03-23").await;
            assert_eq!(counts(&found), expected.into_iter().collect(), "{organization}");
            for one in &found {
                assert!(!one.text.is_empty() && !one.evidence.is_empty(), "{one:?}");
                assert!(one.evidence.iter().any(|fact| !fact.quote.is_empty() && fact.line > 0), "{one:?}");
            }
        }
    }

    async fn their_contradictions_and_dead_frameworks_come_out(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start_with(&place, &[("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")]).await;
        let found = of(&mut server, "crescendo", "2026-03-23").await;
        let never = found.iter().find(|one| one.kind() == Kind::Contradiction).expect("never provided to others");
        assert!(never.evidence[0].quote.starts_with("We do not and will never share") && never.evidence[0].line == 35);
        assert_eq!(texts(never)[1..], ["Amazon Web Services", "Stripe"]);

        let found = of(&mut server, "concert-cloud", "2026-03-23").await;
        let streets = found.iter().find(|one| one.kind() == Kind::Contradiction).expect("two addresses");
        let quotes: Vec<(&str, i32)> = streets.evidence.iter().map(|one| (one.quote.as_str(), one.line)).collect();
        assert_eq!(quotes, [("18 West 18th Street, 5th Floor", 259), ("7 W. 18th St. 5th Fl.", 1)]);

        // A certification that was only in process supports nothing while the framework lasts, and is outdated after.
        let shield = async |server: &mut Server, date: &str| {
            let found = of(server, "concert-cloud", date).await;
            let about = |one: &&Finding| one.text.contains("instruments/eu-us-privacy-shield");
            found.iter().find(about).map(|one| (one.kind(), one.since_date.clone()))
        };
        assert_eq!(shield(&mut server, "2019-08-26").await, None);
        assert_eq!(shield(&mut server, "2019-08-27").await, Some((Kind::ClaimUnsupported, "2019-08-27".into())));
        assert_eq!(shield(&mut server, "2020-07-15").await, Some((Kind::ClaimUnsupported, "2019-08-27".into())));
        assert_eq!(shield(&mut server, "2020-07-16").await, Some((Kind::ClaimOutdated, "2020-07-16".into())));

        let dead = ListFindingsRequest {
            parent: "organizations/-".into(),
            date: "2026-03-23".into(),
            severity: Severity::Critical.into(),
            kinds: vec![Kind::ClaimOutdated.into()],
            ..Default::default()
        };
        let dead = ask(&mut server, dead).await;
        let since: Vec<(Kind, &str)> = dead.iter().map(|one| (one.kind(), one.since_date.as_str())).collect();
        assert_eq!(since, [(Kind::ClaimOutdated, "2015-10-06"), (Kind::ClaimOutdated, "2015-10-22")]);
        assert_eq!(dead[0].evidence.len(), 3, "one finding, however often the text says it");
    }
}

//! The five example organizations, judged as a privacy lawyer would.

use std::collections::BTreeMap;

use subprocessor_registry::proto::v1::{Finding, ListFindingsRequest, finding::Kind};

use super::ask;
use crate::support::{Backend, Place, Server, both};

async fn with_examples(backend: Backend) -> (Place, Server) {
    let place = Place::new(backend).await;
    let server = Server::start_with(&place, &[("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")]).await;
    (place, server)
}

async fn of(server: &mut Server, organization: &str, date: &str) -> Vec<Finding> {
    let parent = format!("organizations/{organization}");
    ask(server, ListFindingsRequest { parent, date: date.into(), ..Default::default() }).await
}

both! {
    async fn dump(backend: Backend) {
        let (_place, mut server) = with_examples(backend).await;
        for organization in ["cloudengage", "concert-cloud", "crescendo", "optymyze", "prodsmart"] {
            println!("=== {organization}");
            for one in of(&mut server, organization, "2026-03-23").await {
                println!("{:?} {:?} {} [{}] {} -- {} | {}", one.severity(), one.kind(), one.subject, one.since_date, one.text, one.citation,
                    one.evidence.iter().map(|e| format!("{}#{}:{} \"{}\"", e.resource, e.field, e.line, e.quote)).collect::<Vec<_>>().join(" ; "));
            }
        }
        let _: BTreeMap<Kind, usize> = BTreeMap::new();
    }
}

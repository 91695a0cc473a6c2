//! A manifest says what is to be, not in which order to get there: what it says as a whole is allowed or not.

use super::{ACME, actions, prune};
use crate::support::{Server, apply, both, fresh, get_subprocessor, subprocessors_of};

/// Applies the second manifest after the first, then again; it must be what the registry holds.
async fn becomes(server: &mut Server, first: &str, second: &str) {
    apply(server, first).await.expect("the first");
    let before = server.revision().await;
    let answer = prune(server, second).await.expect("the second");
    assert_eq!(answer.revision, before + 1);
    assert_eq!(actions(&prune(server, second).await.expect("again")), Vec::<String>::new());
}

const HEAD: &str =
    "organization: {id: acme, display_name: Acme}\nvendors: [{id: aws, display_name: AWS}]\nsubprocessors:\n";

both! {
    async fn a_chain_is_turned_round(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let row = |id: &str, by: &str| match by {
            "" => format!("  - {{id: {id}, display_name: {id}}}\n"),
            by => format!("  - {{id: {id}, display_name: {id}, engaged_by: {ACME}/subprocessors/{by}}}\n"),
        };
        let first = format!("{HEAD}{}{}{}", row("a", "b"), row("b", "c"), row("c", ""));
        let second = format!("{HEAD}{}{}{}", row("c", "b"), row("b", "a"), row("a", ""));
        becomes(&mut server, &first, &second).await;
        let c = get_subprocessor(&mut server, &format!("{ACME}/subprocessors/c")).await;
        assert_eq!(c.engaged_by, format!("{ACME}/subprocessors/b"));
    }

    async fn two_engagements_change_places(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let row = |id: &str, section: &str| format!("  - {{id: {id}, display_name: AWS, vendor: vendors/aws, section: {section}}}\n");
        let first = format!("{HEAD}{}{}", row("a", "Hosting"), row("b", "Mail"));
        let second = format!("{HEAD}{}{}", row("a", "Mail"), row("b", "Hosting"));
        becomes(&mut server, &first, &second).await;
        let sections: Vec<_> = subprocessors_of(&mut server, ACME).await.into_iter().map(|s| s.section).collect();
        assert_eq!(sections, ["Mail", "Hosting"]);
    }

    async fn an_entity_is_replaced_where_it_is_used(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let list = |entity: &str, service: &str| format!(
            "organization: {{id: acme, display_name: Acme}}\n\
             vendors:\n  - id: aws\n    display_name: AWS\n    entities: [{{entity_id: {entity}, legal_name: AWS}}]\n    \
             services: [{{service_id: {service}, display_name: S}}]\n\
             subprocessors:\n  - {{id: a, display_name: A, vendor: vendors/aws, vendor_entity: {entity}, vendor_services: [{service}]}}\n"
        );
        becomes(&mut server, &list("inc", "s3"), &list("sarl", "files")).await;
    }

    async fn a_vendor_in_use_by_what_goes_loses_its_entity(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let first = "organization: {id: acme, display_name: Acme}\n\
                     vendors: [{id: aws, display_name: AWS, entities: [{entity_id: inc, legal_name: AWS}]}]\n\
                     subprocessors: [{id: a, display_name: A, vendor: vendors/aws, vendor_entity: inc}]\n";
        let second = "organization: {id: acme, display_name: Acme}\nvendors: [{id: aws, display_name: AWS}]\n";
        becomes(&mut server, first, second).await;
    }

    async fn the_owner_becomes_the_owned(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        let vendors = |a: &str, b: &str| format!(
            "organization: {{id: acme, display_name: Acme}}\n\
             vendors:\n  - {{id: a, display_name: A{a}}}\n  - {{id: b, display_name: B{b}}}\n"
        );
        becomes(&mut server, &vendors("", ", parent_vendor: vendors/a"), &vendors(", parent_vendor: vendors/b", "")).await;
    }
}

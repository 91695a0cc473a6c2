//! The registry's main job, once through.

use subprocessor_registry::proto::v1;

use crate::support::{Server, both, fresh, organization, subprocessor, vendor};

both! {
    async fn a_list_is_kept(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        vendor(&mut server, "aws").await;
        let made = subprocessor(&mut server, "organizations/acme", "aws", v1::Subprocessor {
            display_name: "AWS".into(),
            vendor: "vendors/aws".into(),
            ..Default::default()
        }).await.expect("created");
        assert_eq!((made.name.as_str(), made.revision), ("organizations/acme/subprocessors/aws", 3));
        let active = server.subprocessors.activate(v1::ActivateRequest { name: made.name.clone(), ..Default::default() })
            .await.expect("activated").into_inner();
        assert_eq!(active.start_date, "2026-03-23");
        let request = v1::ListSubprocessorsRequest { parent: "organizations/-".into(), ..Default::default() };
        let list = server.subprocessors.list_subprocessors(request).await.expect("listed").into_inner();
        assert_eq!((list.subprocessors, list.revision), (vec![active], 4));
        let check = server.log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("checked").into_inner();
        assert!(check.verified, "{check:?}");
        server.stop().await;
        Server::start(&place).await;
    }

    async fn the_examples_and_the_catalog_load(backend: Backend) {
        let place = crate::support::Place::new(backend).await;
        let changes = [("CATALOG__LOAD", "true"), ("EXAMPLES__LOAD", "true")];
        let mut server = Server::start_with(&place, &changes).await;
        assert_eq!(server.revision().await, 6);
        server.stop().await;
        let mut server = Server::start_with(&place, &changes).await;
        assert_eq!(server.revision().await, 6);
    }
}

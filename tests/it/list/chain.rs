//! The chain: who engages whom.

use subprocessor_registry::proto::v1;
use tonic::{Code, Status};

use super::{ACME, engage, name, row};
use crate::support::{
    Server, both, fresh, get_subprocessor, organization, preconditions, refused, subprocessor, update_subprocessor,
};

fn below(above: &str, display_name: &str) -> v1::Subprocessor {
    v1::Subprocessor { engaged_by: name(above), ..row(display_name) }
}

async fn delete(server: &mut Server, id: &str) -> Result<v1::Subprocessor, Status> {
    let request = v1::DeleteSubprocessorRequest { name: name(id), ..Default::default() };
    server.subprocessors.delete_subprocessor(request).await.map(tonic::Response::into_inner)
}

async fn engaged_by(server: &mut Server, id: &str, above: &str) -> Result<v1::Subprocessor, Status> {
    let message = v1::Subprocessor { name: name(id), engaged_by: above.into(), ..Default::default() };
    update_subprocessor(server, message, &["engaged_by"]).await
}

/// The ids upstream, and those downstream with their depth.
async fn trace(server: &mut Server, id: &str, revision: Option<i64>) -> (Vec<String>, Vec<(String, i32)>) {
    let as_of = revision.map(|r| v1::AsOf { point: Some(v1::as_of::Point::Revision(r)) });
    let request = v1::TraceSubprocessorRequest { name: name(id), as_of };
    let answer = server.subprocessors.trace_subprocessor(request).await.expect("traced").into_inner();
    assert_eq!(answer.subprocessor.expect("the one asked for").name, name(id));
    assert_eq!(
        answer.revision,
        match revision {
            Some(r) => r,
            None => server.revision().await,
        }
    );
    let id_of = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let up = answer.upstream.iter().map(|s| id_of(&s.name)).collect();
    let down =
        answer.downstream.iter().map(|l| (id_of(&l.subprocessor.as_ref().expect("one").name), l.depth)).collect();
    (up, down)
}

fn up(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn down(links: &[(&str, i32)]) -> Vec<(String, i32)> {
    links.iter().map(|(id, depth)| ((*id).to_owned(), *depth)).collect()
}

both! {
    async fn a_chain_is_followed_both_ways(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        engage(&mut server, "a", row("A")).await.expect("created");
        for (id, above) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "a"), ("f", "e")] {
            engage(&mut server, id, below(above, id)).await.expect("created");
        }
        engage(&mut server, "z", row("Z")).await.expect("created");
        let then = server.revision().await;
        assert_eq!(trace(&mut server, "a", None).await, (up(&[]), down(&[("b", 1), ("e", 1), ("c", 2), ("f", 2), ("d", 3)])));
        assert_eq!(trace(&mut server, "c", None).await, (up(&["b", "a"]), down(&[("d", 1)])));
        assert_eq!(trace(&mut server, "d", None).await, (up(&["c", "b", "a"]), down(&[])));
        assert_eq!(trace(&mut server, "z", None).await, (up(&[]), down(&[])));
        // The middle moves; what was is still answered.
        engaged_by(&mut server, "c", &name("f")).await.expect("moved");
        delete(&mut server, "d").await.expect("deleted");
        assert_eq!(trace(&mut server, "c", None).await, (up(&["f", "e", "a"]), down(&[])));
        assert_eq!(trace(&mut server, "a", None).await, (up(&[]), down(&[("b", 1), ("e", 1), ("f", 2), ("c", 3)])));
        assert_eq!(trace(&mut server, "c", Some(then)).await, (up(&["b", "a"]), down(&[("d", 1)])));
        assert_eq!(trace(&mut server, "a", Some(then - 6)).await, (up(&[]), down(&[])), "before the others");
        let (missing, future) = (then - 1, then + 100);
        let at = |id: &str, revision| v1::TraceSubprocessorRequest {
            name: name(id), as_of: Some(v1::AsOf { point: Some(v1::as_of::Point::Revision(revision)) }),
        };
        refused(server.subprocessors.trace_subprocessor(at("z", missing)).await, Code::NotFound, "RESOURCE_NOT_FOUND", &[]);
        refused(server.subprocessors.trace_subprocessor(at("a", future)).await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        let bad = v1::TraceSubprocessorRequest { name: ACME.into(), as_of: None };
        refused(server.subprocessors.trace_subprocessor(bad).await, Code::InvalidArgument, "FIELD_INVALID", &["name"]);
    }

    async fn a_chain_that_bites_its_tail_is_refused(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let answer = engage(&mut server, "self", below("self", "Self")).await;
        refused(answer, Code::InvalidArgument, "CHAIN_CYCLE", &["subprocessor.engaged_by"]);
        engage(&mut server, "a", row("A")).await.expect("created");
        for (id, above) in [("b", "a"), ("c", "b")] {
            engage(&mut server, id, below(above, id)).await.expect("created");
        }
        let revision = server.revision().await;
        for above in ["a", "b", "c"] {
            let answer = engaged_by(&mut server, "a", &name(above)).await;
            let status = refused(answer, Code::InvalidArgument, "CHAIN_CYCLE", &["subprocessor.engaged_by"]);
            assert!(status.message().contains(&name(above)), "{status:?}");
        }
        assert_eq!(server.revision().await, revision);
        // Turned round step by step it is a chain again.
        engaged_by(&mut server, "c", "").await.expect("freed");
        engaged_by(&mut server, "a", &name("c")).await.expect("engaged");
        assert_eq!(trace(&mut server, "b", None).await, (up(&["a", "c"]), down(&[])));
    }

    async fn only_ones_own_engage(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        organization(&mut server, "other").await;
        subprocessor(&mut server, "organizations/other", "theirs", row("Theirs")).await.expect("created");
        crate::support::vendor(&mut server, "aws").await;
        for above in ["organizations/other/subprocessors/theirs", "vendors/aws", "organizations/acme", "nonsense", "-"] {
            let asked = v1::Subprocessor { engaged_by: above.into(), ..row("Ours") };
            refused(engage(&mut server, "ours", asked).await, Code::InvalidArgument, "FIELD_INVALID", &["subprocessor.engaged_by"]);
        }
        let status = refused(
            engage(&mut server, "ours", below("nobody", "Ours")).await, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[],
        );
        assert_eq!(preconditions(&status), [("REFERENCE".to_owned(), name("nobody"))]);
        engage(&mut server, "gone", row("Gone")).await.expect("created");
        delete(&mut server, "gone").await.expect("deleted");
        let answer = engage(&mut server, "ours", below("gone", "Ours")).await;
        refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
    }

    async fn one_that_engages_is_not_deleted(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        engage(&mut server, "a", row("A")).await.expect("created");
        engage(&mut server, "b", below("a", "B")).await.expect("created");
        let before = get_subprocessor(&mut server, &name("a")).await;
        let status = refused(delete(&mut server, "a").await, Code::FailedPrecondition, "RESOURCE_IN_USE", &[]);
        assert_eq!(preconditions(&status), [("REFERENCE".to_owned(), name("b"))]);
        assert_eq!(get_subprocessor(&mut server, &name("a")).await, before);
        delete(&mut server, "b").await.expect("deleted");
        delete(&mut server, "a").await.expect("deleted");
        // Back only in the order in which they hold each other.
        let back = |id: &str| v1::UndeleteSubprocessorRequest { name: name(id), ..Default::default() };
        let answer = server.subprocessors.undelete_subprocessor(back("b")).await;
        refused(answer, Code::FailedPrecondition, "REFERENCE_NOT_FOUND", &[]);
        server.subprocessors.undelete_subprocessor(back("a")).await.expect("undeleted");
        server.subprocessors.undelete_subprocessor(back("b")).await.expect("undeleted");
        assert_eq!(trace(&mut server, "a", None).await, (up(&[]), down(&[("b", 1)])));
    }

    async fn a_cycle_does_not_come_back_from_the_dead(backend: Backend) {
        let (_place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        engage(&mut server, "a", row("A")).await.expect("created");
        engage(&mut server, "b", below("a", "B")).await.expect("created");
        delete(&mut server, "b").await.expect("deleted");
        // `b` is deleted and holds nothing; still nothing can be engaged by it.
        refused(engaged_by(&mut server, "a", &name("b")).await, Code::InvalidArgument, "CHAIN_CYCLE", &[]);
    }
}

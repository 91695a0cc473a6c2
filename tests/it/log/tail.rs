//! A log whose tail was cut or rewritten: consistent in itself, and so seen only by who remembers a hash. Ranges.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement, Value};
use subprocessor_registry::proto::v1::{self, VerifyChangeLogRequest, problem::Kind};
use tonic::Code;

use super::{Arithmetic, assert_verifies, raw, rename_vendor, rich, verify, verify_with};
use crate::support::{Place, Server, both, fresh, refused, vendor};

async fn five(place: &Place, server: &mut Server) -> (DatabaseConnection, v1::VerifyChangeLogResponse) {
    vendor(server, "aws").await;
    for name in ["B", "C", "D", "E"] {
        rename_vendor(server, "aws", name).await;
    }
    let check = verify(server).await;
    assert!(check.verified && check.to_revision == 5 && check.changes_checked == 5, "{check:?}");
    (raw(place).await, check)
}

fn expecting(check: &v1::VerifyChangeLogResponse) -> VerifyChangeLogRequest {
    VerifyChangeLogRequest {
        expected_revision: check.to_revision,
        expected_hash: check.to_hash.clone(),
        ..Default::default()
    }
}

async fn all(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Takes revisions away as if they had never been.
async fn cut(db: &DatabaseConnection, after: i64) {
    for table in ["vendor", "vendor_value"] {
        all(db, &format!("DELETE FROM {table} WHERE from_revision > {after}")).await;
    }
    all(db, &format!("UPDATE vendor SET to_revision = NULL WHERE to_revision > {after}")).await;
    all(db, &format!("DELETE FROM change WHERE revision > {after}")).await;
    all(db, &format!("DELETE FROM revision WHERE number > {after}")).await;
    all(
        db,
        &format!("UPDATE counter SET revision = {after}, hash = (SELECT hash FROM revision WHERE number = {after})"),
    )
    .await;
}

both! {
    async fn a_tail_that_was_cut(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let (db, before) = five(&place, &mut server).await;
        cut(&db, 3).await;
        let check = verify(&mut server).await;
        assert!(check.verified && check.to_revision == 3, "nothing in the log tells: {check:?}");
        let check = verify_with(&mut server, expecting(&before)).await;
        assert!(!check.verified && check.problem_count == 1, "{check:?}");
        assert_eq!((check.problems[0].kind(), check.problems[0].revision), (Kind::ExpectedHashMismatch, 5));
        // The log goes on from the cut, past what was remembered.
        for name in ["X", "Y", "Z"] {
            rename_vendor(&mut server, "aws", name).await;
        }
        assert_verifies(&mut server).await;
        let check = verify_with(&mut server, expecting(&before)).await;
        assert_eq!((check.problems[0].kind(), check.problems[0].revision), (Kind::ExpectedHashMismatch, 5), "{check:?}");
    }

    async fn a_tail_whose_rows_are_only_partly_gone(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let (db, _) = five(&place, &mut server).await;
        all(&db, "DELETE FROM revision WHERE number > 3").await;
        let check = verify(&mut server).await;
        let found: Vec<_> = check.problems.iter().map(|one| (one.kind(), one.revision)).collect();
        assert_eq!(found, [(Kind::RevisionMissing, 4), (Kind::RevisionMissing, 5)], "{check:?}");
    }

    async fn a_tail_that_was_rewritten(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        let (db, before) = five(&place, &mut server).await;
        // Somebody else did it, from revision 2 on, with hashes that are right.
        let backend = db.get_database_backend();
        let mut previous: Option<Vec<u8>> = None;
        for number in 2..=5 {
            let request = v1::GetRevisionRequest { name: format!("revisions/{number}") };
            let mut revision = server.log.get_revision(request).await.expect("a revision").into_inner();
            revision.principal = "mallory".into();
            revision.previous_hash = previous.take().unwrap_or(revision.previous_hash);
            let hash = Arithmetic::revision(&revision);
            let sql = "UPDATE revision SET principal = $1, previous_hash = $2, hash = $3 WHERE number = $4";
            let values: [Value; 4] =
                ["mallory".into(), revision.previous_hash.into(), hash.clone().into(), number.into()];
            db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await.expect("rewritten");
            previous = Some(hash);
        }
        let values: [Value; 1] = [previous.into()];
        let sql = "UPDATE counter SET hash = $1";
        db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await.expect("rewritten");
        assert_verifies(&mut server).await;
        let check = verify_with(&mut server, expecting(&before)).await;
        assert_eq!((check.problems[0].kind(), check.problems[0].revision), (Kind::ExpectedHashMismatch, 5), "{check:?}");
        assert_eq!(check.problem_count, 1);
    }

    async fn ranges(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        rich(&place, &mut server).await;
        let db = raw(&place).await;
        let whole = verify(&mut server).await;
        assert_eq!((whole.from_revision, whole.to_revision, whole.changes_checked), (1, 14, 16));
        let part = |from_revision, to_revision| VerifyChangeLogRequest { from_revision, to_revision, ..Default::default() };
        for (from, to, changes) in [(1, 14, 16), (3, 5, 3), (14, 14, 3), (14, 0, 3), (8, 10, 3)] {
            let check = verify_with(&mut server, part(from, to)).await;
            assert!(check.verified, "{check:?}");
            assert_eq!((check.from_revision, check.changes_checked), (from, changes));
        }
        crate::log::tamper(&db, "UPDATE revision SET principal = 'mallory' WHERE number = 4").await;
        assert!(verify_with(&mut server, part(5, 14)).await.verified);
        assert!(verify_with(&mut server, part(1, 3)).await.verified);
        let check = verify_with(&mut server, part(4, 4)).await;
        assert_eq!((check.problem_count, check.problems[0].kind(), check.problems[0].revision), (1, Kind::RevisionAltered, 4));
        // Nothing to check is checked.
        let (_place, mut empty) = fresh(backend).await;
        let check = verify(&mut empty).await;
        assert!(check.verified && check.to_revision == 0 && check.to_hash == [0; 32], "{check:?}");

        let answer = server.log.verify_change_log(part(1, 15)).await;
        let status = refused(answer, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        assert!(status.message().contains("15") && status.message().contains("14"), "{status:?}");
        for (from, to) in [(-1, 0), (0, -1)] {
            let answer = server.log.verify_change_log(part(from, to)).await;
            let field = if from < 0 { "from_revision" } else { "to_revision" };
            refused(answer, Code::InvalidArgument, "FIELD_INVALID", &[field]);
        }
        let short = VerifyChangeLogRequest { expected_revision: 1, expected_hash: vec![1, 2, 3], ..Default::default() };
        refused(server.log.verify_change_log(short).await, Code::InvalidArgument, "FIELD_INVALID", &["expected_hash"]);
        let wrong = VerifyChangeLogRequest { expected_revision: 3, expected_hash: vec![7; 32], ..part(1, 3) };
        let check = verify_with(&mut server, wrong).await;
        assert_eq!((check.problems[0].kind(), check.problems[0].revision), (Kind::ExpectedHashMismatch, 3));
    }
}

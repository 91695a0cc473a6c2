//! Several servers on one PostgreSQL, and a transaction that somebody holds open.

use futures::future::join_all;
use sea_orm::ConnectionTrait;
use subprocessor_registry::proto::v1;

use super::{
    PATIENCE, all_after, assert_verifies, checkpoint, is_postgres, raw, rename_vendor, revision, somebody_waits, until,
    watch,
};
use crate::support::{Backend, Place, Server, both, fresh, organization, vendor};

async fn write(server: &Server, prefix: &str, count: usize) -> Vec<i64> {
    let mut vendors = server.vendors.clone();
    let mut numbers = Vec::new();
    for i in 0..count {
        let vendor = v1::Vendor { display_name: format!("{prefix}{i}"), ..Default::default() };
        let request =
            v1::CreateVendorRequest { vendor_id: format!("{prefix}-{i}"), vendor: Some(vendor), ..Default::default() };
        numbers.push(vendors.create_vendor(request).await.expect("created").into_inner().revision);
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_write_while_one_streams() {
    let place = Place::new(Backend::Postgres).await;
    let (mut one, two) = (Server::start(&place).await, Server::start(&place).await);
    let mut streams = Vec::new();
    for server in [&one, &two] {
        let mut stream = watch(server, all_after(None)).await;
        checkpoint(&mut stream).await;
        streams.push(stream);
    }
    let writers: Vec<String> = (0..8).map(|writer| format!("w{writer}")).collect();
    let written =
        join_all(writers.iter().enumerate().map(|(i, writer)| write(if i % 2 == 0 { &one } else { &two }, writer, 15)))
            .await;
    let mut acknowledged: Vec<i64> = written.into_iter().flatten().collect();
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, (1..=120).collect::<Vec<_>>());
    streams.push(watch(&two, all_after(Some(0))).await);
    for stream in &mut streams {
        let (revisions, _) = until(stream, 120).await;
        assert_eq!(revisions.iter().map(|revision| revision.number).collect::<Vec<_>>(), acknowledged);
    }
    assert_verifies(&mut one).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_resumes_on_another_server() {
    let place = Place::new(Backend::Postgres).await;
    let (one, two) = (Server::start(&place).await, Server::start(&place).await);
    write(&one, "a", 5).await;
    let mut stream = watch(&one, all_after(Some(0))).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(revision(&mut stream).await);
    }
    one.stop().await;
    write(&two, "b", 5).await;
    let request = v1::WatchChangesRequest { after_hash: seen[2].hash.clone(), ..all_after(Some(3)) };
    let (rest, _) = until(&mut watch(&two, request).await, 10).await;
    assert_eq!(rest.iter().map(|revision| revision.number).collect::<Vec<_>>(), (4..=10).collect::<Vec<_>>());
    assert_eq!(rest[0].previous_hash, seen[2].hash);
}

both! {
    async fn a_preview_waits_for_no_write(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        organization(&mut server, "acme").await;
        let holder = raw(&place).await;
        let begin = if is_postgres(&place) { "BEGIN" } else { "BEGIN IMMEDIATE" };
        holder.execute_unprepared(begin).await.expect("begun");
        holder.execute_unprepared("UPDATE counter SET batch = batch + 1").await.expect("locked");
        let change = v1::NoticeChange {
            kind: v1::notice_change::Kind::Add.into(),
            subprocessor: "organizations/acme/subprocessors/host".into(),
            proposed: Some(v1::Subprocessor { display_name: "Host".into(), ..Default::default() }),
            ..Default::default()
        };
        let request = v1::PreviewNoticeRequest {
            parent: "organizations/acme".into(),
            notice: Some(v1::Notice { title: "n".into(), changes: vec![change], ..Default::default() }),
            ..Default::default()
        };
        let foreseen = tokio::time::timeout(PATIENCE, server.notices.preview_notice(request)).await;
        let foreseen = foreseen.expect("it does not wait").expect("foreseen").into_inner();
        assert_eq!((foreseen.revision, foreseen.recipient_count), (1, 0));
        holder.execute_unprepared("ROLLBACK").await.expect("ended");
        assert_eq!(server.revision().await, 1);
    }

    async fn a_transaction_held_open_hides_nothing(backend: Backend) {
        let (place, mut server) = fresh(backend).await;
        vendor(&mut server, "aws").await;
        let mut stream = watch(&server, all_after(None)).await;
        assert_eq!(checkpoint(&mut stream).await.revision, 1);
        let holder = raw(&place).await;
        let begin = if is_postgres(&place) { "BEGIN" } else { "BEGIN IMMEDIATE" };
        holder.execute_unprepared(begin).await.expect("begun");
        holder.execute_unprepared("UPDATE counter SET batch = batch + 1").await.expect("locked");
        let waiting = {
            let server = server.vendors.clone();
            tokio::spawn(async move {
                let vendor = v1::Vendor { display_name: "Held".into(), ..Default::default() };
                let request = v1::CreateVendorRequest { vendor_id: "held".into(), vendor: Some(vendor), ..Default::default() };
                server.clone().create_vendor(request).await.expect("created").into_inner().revision
            })
        };
        if is_postgres(&place) {
            somebody_waits(&raw(&place).await).await;
        }
        // Readers do not wait, and a stream that begins meanwhile sees what comes too.
        assert_eq!(server.revision().await, 1);
        let mut later = watch(&server, all_after(None)).await;
        assert_eq!(checkpoint(&mut later).await.revision, 1);
        assert!(!waiting.is_finished());
        holder.execute_unprepared("ROLLBACK").await.expect("ended");
        assert_eq!(waiting.await.expect("a writer"), 2);
        rename_vendor(&mut server, "aws", "Amazon").await;
        for stream in [&mut stream, &mut later] {
            let (revisions, _) = until(stream, 3).await;
            assert_eq!(revisions.iter().map(|revision| revision.number).collect::<Vec<_>>(), [2, 3]);
        }
        assert_verifies(&mut server).await;
    }
}

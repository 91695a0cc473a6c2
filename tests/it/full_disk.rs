//! A disk that is full: writes fail, and none that was acknowledged is lost. The disk is a limit on the size of files,
//! which fails writes in the same place.

use std::{process::Stdio, time::Duration};

use subprocessor_registry::proto::v1;
use tokio::{net::TcpListener, process::Command, time::timeout};
use tonic::transport::Channel;

type Vendors = v1::vendor_service_client::VendorServiceClient<Channel>;
type Log = v1::change_log_service_client::ChangeLogServiceClient<Channel>;

/// Blocks of 1,024 bytes that a file may have: the write-ahead log reaches it in the middle of the writes.
const BLOCKS: u32 = 2_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_commits_fail() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let script = format!(
        "trap '' XFSZ; ulimit -f {BLOCKS}; exec {} serve --listen 127.0.0.1:{port} --data-dir {}",
        env!("CARGO_BIN_EXE_subprocessor-registry"),
        folder.path().display(),
    );
    let mut server = Command::new("bash")
        .args(["-c", &script])
        .env("SUBPROCESSOR_REGISTRY__CATALOG__LOAD", "false")
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("bash");
    let channel = timeout(Duration::from_secs(60), connect(port)).await.expect("the server starts");

    let mut writers = Vec::new();
    for writer in 0..4 {
        let mut vendors = Vendors::new(channel.clone());
        writers.push(tokio::spawn(async move {
            let (mut acknowledged, mut failed) = (Vec::new(), 0);
            for n in 0..400 {
                let vendor = v1::Vendor { display_name: "x".repeat(500), ..Default::default() };
                let vendor_id = format!("v-{writer}-{n}");
                let request = v1::CreateVendorRequest { vendor_id, vendor: Some(vendor), ..Default::default() };
                match vendors.create_vendor(request).await {
                    Ok(made) => acknowledged.push(made.into_inner()),
                    Err(_) => failed += 1,
                }
            }
            (acknowledged, failed)
        }));
    }
    let (mut acknowledged, mut failed) = (Vec::new(), 0);
    for writer in writers {
        let (some, lost) = writer.await.expect("a writer");
        acknowledged.extend(some);
        failed += lost;
    }
    assert!(failed > 0 && !acknowledged.is_empty(), "{failed} failed, {} did not", acknowledged.len());

    // Readable by another connection than the writer's, and still there after the server is killed.
    let mut vendors = Vendors::new(channel.clone());
    for made in &acknowledged {
        let request = v1::GetVendorRequest { name: made.name.clone(), as_of: None };
        assert_eq!(vendors.get_vendor(request).await.expect("not lost").into_inner(), *made);
    }
    let mut log = Log::new(channel);
    let check = log.verify_change_log(v1::VerifyChangeLogRequest::default()).await.expect("checked").into_inner();
    assert!(check.verified && check.to_revision >= acknowledged.len() as i64, "{check:?}");
    server.kill().await.expect("killed");
}

/// Asks until the server answers.
async fn connect(port: u16) -> Channel {
    loop {
        let endpoint = Channel::from_shared(format!("http://127.0.0.1:{port}")).expect("an address");
        if let Ok(channel) = endpoint.connect().await {
            return channel;
        }
        tokio::task::yield_now().await;
    }
}

//! What a server says of its health when PostgreSQL goes away and comes back. The cluster belongs to all tests: what goes
//! away is the cable to it.

use subprocessor_registry::proto::v1::ListVendorsRequest;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tonic::Code;
use tonic_health::{
    ServingStatus,
    pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient},
};

use crate::support::{Backend, Place, Server, refused};

/// A connection to a PostgreSQL database that can be pulled.
struct Cable {
    /// The database, over it.
    url: String,
    plugged: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Cable {
    async fn new(url: &str) -> Self {
        let parsed = url::Url::parse(url).expect("a URL");
        let to = format!("{}:{}", parsed.host_str().expect("a host"), parsed.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let url = format!("{}?sslmode=disable", url.replace(&to, &address));
        let plugged = watch::Sender::new(true);
        let watched = plugged.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (to, mut plugged) = (to.clone(), watched.subscribe());
                tokio::spawn(async move {
                    let passing = async {
                        let mut server = TcpStream::connect(&to).await.expect("PostgreSQL answers");
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    };
                    tokio::select! {
                        biased;
                        _ = plugged.wait_for(|plugged| !plugged) => {}
                        () = passing => {}
                    }
                });
            }
        });
        Self { url, plugged, accepting }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_is_what_the_database_is_and_liveness_is_not() {
    let mut place = Place::new(Backend::Postgres).await;
    let cable = Cable::new(&place.url).await;
    place.url.clone_from(&cable.url);
    let mut server = Server::start(&place).await;
    let mut health = HealthClient::new(server.channel().await);
    let mut said = Vec::new();
    for name in ["readiness", "", "subprocessor.registry.v1.VendorService"] {
        said.push((name, health.watch(of(name)).await.expect("a stream").into_inner()));
    }

    for (plugged, status) in
        [(true, ServingStatus::Serving), (false, ServingStatus::NotServing), (true, ServingStatus::Serving)]
    {
        cable.plugged.send_replace(plugged);
        for (name, stream) in &mut said {
            let said: Option<HealthCheckResponse> = stream.message().await.expect("a status");
            assert_eq!(said.expect("more").status, status as i32, "{name}");
        }
        let alive = health.check(of("liveness")).await.expect("answered").into_inner().status;
        assert_eq!(alive, ServingStatus::Serving as i32);
        let listed = server.vendors.list_vendors(ListVendorsRequest::default()).await;
        if plugged {
            listed.expect("it serves");
        } else {
            refused(listed, Code::Unavailable, "DATABASE_UNAVAILABLE", &[]);
        }
    }
    server.stop().await;
}

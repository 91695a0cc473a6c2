//! The library's watch, which goes on by itself.

use subprocessor_registry::{
    client::Changes,
    proto::v1::{
        WatchChangesRequest, change_log_service_client::ChangeLogServiceClient, watch_changes_response::Event,
    },
};
use tonic::{Code, transport::Channel};

use crate::support::{Place, Server, both, refused, vendor};

type Log = ChangeLogServiceClient<Channel>;

fn log_at(address: &str) -> Log {
    ChangeLogServiceClient::new(Channel::from_shared(address.to_owned()).expect("an address").connect_lazy())
}

/// The next revision, past checkpoints.
async fn next(changes: &mut Changes<Channel>) -> i64 {
    loop {
        if let Some(Event::Revision(revision)) = changes.next().await.expect("a message").event {
            return revision.number;
        }
    }
}

both! {
    async fn a_watch_goes_on_over_a_restart(backend: Backend) {
        let place = Place::new(backend).await;
        let mut server = Server::start(&place).await;
        let address = server.address.clone();
        let parent = "organizations/-".to_owned();
        let from_the_first = WatchChangesRequest { parent, after_revision: Some(0), ..Default::default() };
        let mut changes = Changes::new(log_at(&address), from_the_first.clone());
        vendor(&mut server, "one").await;
        assert_eq!(next(&mut changes).await, 1);
        server.stop().await;

        // It is away, and then another one is there that has written meanwhile.
        let listen = address.trim_start_matches("http://");
        let waiting = tokio::spawn(async move {
            let numbers = [next(&mut changes).await, next(&mut changes).await];
            (numbers, changes)
        });
        let mut server = Server::start_with(&place, &[("SERVER__LISTEN", listen)]).await;
        vendor(&mut server, "two").await;
        vendor(&mut server, "three").await;
        let (numbers, changes) = waiting.await.expect("it goes on");
        assert_eq!(numbers, [2, 3]);

        // Another program goes on where this one was.
        let (revision, hash) = changes.position().expect("a position");
        assert_eq!(revision, 3);
        let there = WatchChangesRequest {
            after_revision: Some(revision),
            after_hash: hash.to_vec(),
            ..from_the_first.clone()
        };
        let mut later = Changes::new(log_at(&address), there.clone());
        vendor(&mut server, "four").await;
        assert_eq!(next(&mut later).await, 4);

        // What trying again does not mend is an error at once.
        let wrong = WatchChangesRequest { after_hash: vec![7; 32], ..there };
        refused(Changes::new(log_at(&address), wrong).next().await, Code::DataLoss, "LOG_HASH_MISMATCH", &[]);
        let future = WatchChangesRequest { after_revision: Some(99), ..from_the_first };
        refused(Changes::new(log_at(&address), future).next().await, Code::OutOfRange, "LOG_NOT_YET_WRITTEN", &[]);
        server.stop().await;
    }
}

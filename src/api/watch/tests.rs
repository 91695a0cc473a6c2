use futures::{FutureExt, StreamExt};
use tonic::Code;

use super::*;
use crate::metrics::Metrics;
use crate::proto::v1::Revision;

/// As long as no test waits.
const EVER: Duration = Duration::from_secs(3600);
/// Revisions that a stream holds here.
const HELD: usize = 2;

/// Revisions 1, 2, 3 … up to a last one, each as soon as it is asked for.
struct Numbers {
    position: i64,
    last: i64,
}

impl Source for Numbers {
    fn position(&self) -> i64 {
        self.position
    }

    async fn next(&mut self) -> Result<Vec<Event>> {
        if self.position == self.last {
            std::future::pending().await
        }
        self.position += 1;
        Ok(vec![Event::Revision(Box::new(Revision { number: self.position, ..Revision::default() }))])
    }
}

/// A stream of ten revisions, and what resets it.
fn ten(wait: Duration, grace: Duration) -> (Stream, StreamReset) {
    let shared = Arc::new(Shared { state: Mutex::default(), taken: Notify::new(), capacity: HELD });
    let (gone, reset) = (CancellationToken::new(), StreamReset::default());
    let patience = Patience { wait, grace, reset: Some(reset.clone()) };
    let source = Numbers { position: 0, last: 10 };
    let following = Metrics::none().streams().open(0);
    let leaving = CancellationToken::new();
    let filling = Filling { shared: Arc::clone(&shared), patience, leaving, gone: gone.clone(), following };
    tokio::spawn(filling.run(source));
    (Stream { shared, _gone: gone.drop_guard() }, reset)
}

/// Until a stream was cut.
async fn cut_off(stream: &Stream) {
    while stream.shared.lock().end.is_none() {
        tokio::task::yield_now().await;
    }
}

fn number(item: Option<std::result::Result<WatchChangesResponse, Status>>) -> i64 {
    match item.expect("an item").expect("a message").event {
        Some(Content::Revision(revision)) => revision.number,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reader_that_reads_again_in_time_gets_what_was_held_and_then_the_reason() {
    let (mut stream, reset) = ten(Duration::ZERO, EVER);
    cut_off(&stream).await;
    assert_eq!((number(stream.next().await), number(stream.next().await)), (1, 2));
    let reason = stream.next().await.expect("an item").expect_err("the reason");
    assert_eq!(reason.code(), Code::ResourceExhausted);
    assert!(reason.message().contains("resume after the last revision received"), "{reason:?}");
    assert!(stream.next().await.is_none());
    assert!(reset.requested().now_or_never().is_none(), "there was nothing to reset");
}

#[tokio::test]
async fn one_that_does_not_is_reset_and_what_was_held_is_let_go() {
    let (mut stream, reset) = ten(Duration::ZERO, Duration::ZERO);
    reset.requested().await;
    let reason = stream.next().await.expect("an item").expect_err("nothing was held any more");
    assert_eq!(reason.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn one_that_is_slow_but_reads_is_not_cut() {
    let (mut stream, reset) = ten(EVER, Duration::ZERO);
    for expected in 1..=10 {
        // Full before each read, as far as there is so much left.
        let most = HELD.min(usize::try_from(11 - expected).expect("small"));
        while stream.shared.lock().buffer.len() < most {
            tokio::task::yield_now().await;
        }
        assert_eq!(number(stream.next().await), expected);
    }
    assert!(stream.next().now_or_never().is_none(), "it goes on");
    assert!(reset.requested().now_or_never().is_none());
}

/// All there is at once, as a chunk of the log is read.
struct AtOnce(i64);

impl Source for AtOnce {
    fn position(&self) -> i64 {
        self.0
    }

    async fn next(&mut self) -> Result<Vec<Event>> {
        if self.0 == 10 {
            std::future::pending().await
        }
        self.0 = 10;
        let one = |number| Event::Revision(Box::new(Revision { number, ..Revision::default() }));
        Ok((1..=10).map(one).collect())
    }
}

#[tokio::test]
async fn one_whose_connection_is_let_go_of_is_told_the_last_that_it_gets() {
    let shared = Arc::new(Shared { state: Mutex::default(), taken: Notify::new(), capacity: HELD });
    let (gone, leaving) = (CancellationToken::new(), CancellationToken::new());
    let patience = Patience { wait: EVER, grace: EVER, reset: None };
    let following = Metrics::none().streams().open(0);
    let filling =
        Filling { shared: Arc::clone(&shared), patience, leaving: leaving.clone(), gone: gone.clone(), following };
    tokio::spawn(filling.run(AtOnce(0)));
    let mut stream = Stream { shared, _gone: gone.drop_guard() };
    assert_eq!(number(stream.next().await), 1);
    while stream.shared.lock().buffer.len() < HELD {
        tokio::task::yield_now().await;
    }
    leaving.cancel();
    cut_off(&stream).await;
    assert_eq!((number(stream.next().await), number(stream.next().await)), (2, 3));
    let reason = stream.next().await.expect("an item").expect_err("the reason");
    assert_eq!(reason.code(), Code::Unavailable);
    assert!(reason.message().ends_with("resume after revision 3"), "{reason:?}");
}

//! Many callers at once, and callers that go away before the end.

use super::server::{Server, ok, status};
use super::*;
use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::{Semaphore, oneshot};

/// A server whose answers wait for [`SlowServer::answer_one`].
struct SlowServer {
    server: Server,
    permits: Arc<Semaphore>,
}

impl SlowServer {
    async fn start() -> Self {
        let permits = Arc::new(Semaphore::new(0));
        let waiting = permits.clone();
        let server = Server::start(move |_, _| {
            let waiting = waiting.clone();
            async move {
                waiting.acquire().await.unwrap().forget();
                ok("wasm")
            }
        });
        Self { server: server.await, permits }
    }

    /// Lets the server answer one request.
    fn answer_one(&self) {
        self.permits.add_permits(1);
    }
}

fn source(location: String, checksum: Option<Digest>) -> ArtifactSource {
    ArtifactSource { location, checksum }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_make_one_request() {
    for checksum in [Some(digest_of(b"wasm")), None] {
        let slow = SlowServer::start().await;
        let bench = Bench::new(|_| {});
        let source = source(slow.server.url("/a"), checksum);
        let mut callers: Vec<_> = (0..1_000).map(|_| Box::pin(bench.store.fetch(&source))).collect();
        for caller in &mut callers {
            assert!(
                caller.as_mut().now_or_never().is_none(),
                "no caller is served before the server answers"
            );
        }
        assert_eq!(bench.store.fetches_under_way(), 1);
        slow.answer_one();
        let fetched = join_all(callers).await;
        assert!(fetched.iter().all(|fetched| fetched.as_ref().unwrap().bytes() == b"wasm"));
        assert_eq!((slow.server.requests(), bench.store.fetches_under_way()), (1, 0));
    }
}

#[tokio::test]
async fn callers_share_a_failure_and_the_next_one_tries_again() {
    let server = Server::start(async |n, _| if n == 0 { status(404) } else { ok("wasm") }).await;
    let bench = Bench::new(|_| {});
    let source = source(server.url("/a"), Some(digest_of(b"wasm")));
    let fetched = join_all((0..50).map(|_| bench.store.fetch(&source))).await;
    assert!(fetched.iter().all(|fetched| matches!(fetched, Err(ArtifactError::Unavailable { .. }))));
    assert_eq!(server.requests(), 1);
    assert_eq!(bench.store.fetch(&source).await.unwrap().bytes(), b"wasm");
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn the_fetch_goes_on_when_its_first_callers_go() {
    let slow = SlowServer::start().await;
    let bench = Bench::new(|_| {});
    let source = source(slow.server.url("/a"), None);
    let mut callers: Vec<_> = (0..300).map(|_| Box::pin(bench.store.fetch(&source))).collect();
    for caller in &mut callers {
        assert!(caller.as_mut().now_or_never().is_none());
    }
    // One by one, each time the caller that came first.
    let last = callers.pop().unwrap();
    for caller in callers {
        drop(caller);
        assert_eq!(bench.store.fetches_under_way(), 1);
    }
    slow.answer_one();
    assert_eq!(last.await.unwrap().bytes(), b"wasm");
    assert_eq!((slow.server.requests(), bench.store.fetches_under_way()), (1, 0));
}

#[tokio::test]
async fn the_fetch_ends_when_its_last_caller_goes() {
    struct SendOnDrop(Option<oneshot::Sender<()>>);
    impl Drop for SendOnDrop {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    let (asked_tx, asked) = oneshot::channel();
    let (closed_tx, closed) = oneshot::channel();
    let channels = Arc::new(Mutex::new(Some((asked_tx, closed_tx))));
    let server = Server::start(move |_, _| {
        let (asked, closed) = channels.lock().unwrap().take().expect("one request only");
        async move {
            let _closed = SendOnDrop(Some(closed));
            asked.send(()).unwrap();
            std::future::pending().await
        }
    });
    let server = server.await;
    let bench = Bench::new(|_| {});
    let source = source(server.url("/a"), None);
    let (mut first, mut second) =
        (Box::pin(bench.store.fetch(&source)), Box::pin(bench.store.fetch(&source)));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    asked.await.unwrap();
    drop(first);
    assert_eq!(bench.store.fetches_under_way(), 1);
    drop(second);
    assert_eq!(bench.store.fetches_under_way(), 0);
    // The server sees the connection close.
    closed.await.unwrap();
    assert_eq!(bench.temporaries(), 0);
}

#[tokio::test]
async fn without_a_checksum_each_call_sees_the_bytes_of_its_time() {
    let server = Server::start(async |n, _| ok(format!("revision {n}"))).await;
    let bench = Bench::new(|_| {});
    for n in 0..3 {
        let fetched = bench.fetch(server.url("/a"), None).await.unwrap();
        assert_eq!(fetched.bytes(), format!("revision {n}").as_bytes());
    }
    assert_eq!((server.requests(), bench.blobs().len()), (3, 3));
}

#[tokio::test]
async fn a_call_joins_no_fetch_that_is_done() {
    let server = Server::start(async |n, _| ok(format!("revision {n}"))).await;
    let bench = Bench::new(|_| {});
    let source = source(server.url("/a"), None);
    // The second caller shares the first fetch and has not read its result yet.
    let (mut first, mut second) =
        (Box::pin(bench.store.fetch(&source)), Box::pin(bench.store.fetch(&source)));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    assert_eq!(first.await.unwrap().bytes(), b"revision 0");
    assert_eq!(bench.store.fetch(&source).await.unwrap().bytes(), b"revision 1");
    assert_eq!(second.await.unwrap().bytes(), b"revision 0");
    assert_eq!(bench.store.fetches_under_way(), 0);
}

#[tokio::test]
async fn other_checksums_are_other_fetches() {
    let server = Server::start(async |_, _| ok("wasm")).await;
    let bench = Bench::new(|_| {});
    let (right, wrong) = (digest_of(b"wasm"), digest_of(b"other"));
    let (good, bad) =
        tokio::join!(bench.fetch(server.url("/a"), Some(right)), bench.fetch(server.url("/a"), Some(wrong)));
    assert_eq!(good.unwrap().digest(), right);
    assert_eq!(bad.unwrap_err(), ArtifactError::ChecksumMismatch { expected: wrong, found: right });
    assert_eq!((server.requests(), bench.blobs()), (2, vec![right]));
}

//! Many callers at once, and callers that go away.

use super::server::{Server, ok, status};
use super::*;
use futures::FutureExt;
use futures::future::join_all;
use tokio::sync::{Semaphore, oneshot};

/// A server that answers nobody before [`Gate::open`].
struct Gate {
    server: Server,
    permits: Arc<Semaphore>,
}

impl Gate {
    async fn closed() -> Self {
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

    /// Lets one request through.
    fn open(&self) {
        self.permits.add_permits(1);
    }
}

fn source(location: String, checksum: Option<Digest>) -> ArtifactSource {
    ArtifactSource { location, checksum }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_make_one_request() {
    for checksum in [Some(digest_of(b"wasm")), None] {
        let gate = Gate::closed().await;
        let bench = Bench::new(|_| {});
        let source = source(gate.server.url("/a"), checksum);
        let mut callers: Vec<_> = (0..1_000).map(|_| Box::pin(bench.store.fetch(&source))).collect();
        for caller in &mut callers {
            assert!(caller.as_mut().now_or_never().is_none(), "nobody is served before the gate opens");
        }
        assert_eq!(bench.store.flights(), 1);
        gate.open();
        let fetched = join_all(callers).await;
        assert!(fetched.iter().all(|fetched| fetched.as_ref().unwrap().bytes() == b"wasm"));
        assert_eq!((gate.server.requests(), bench.store.flights()), (1, 0));
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
    let gate = Gate::closed().await;
    let bench = Bench::new(|_| {});
    let source = source(gate.server.url("/a"), None);
    let mut callers: Vec<_> = (0..300).map(|_| Box::pin(bench.store.fetch(&source))).collect();
    for caller in &mut callers {
        assert!(caller.as_mut().now_or_never().is_none());
    }
    // One by one from the first, each time the one that others wait behind.
    let last = callers.pop().unwrap();
    for caller in callers {
        drop(caller);
        assert_eq!(bench.store.flights(), 1);
    }
    gate.open();
    assert_eq!(last.await.unwrap().bytes(), b"wasm");
    assert_eq!((gate.server.requests(), bench.store.flights()), (1, 0));
}

#[tokio::test]
async fn the_fetch_ends_when_its_last_caller_goes() {
    struct Gone(Option<oneshot::Sender<()>>);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    let (asked_tx, asked) = oneshot::channel();
    let (gone_tx, gone) = oneshot::channel();
    let channels = Arc::new(Mutex::new(Some((asked_tx, gone_tx))));
    let server = Server::start(move |_, _| {
        let (asked, gone) = channels.lock().unwrap().take().expect("one request only");
        async move {
            let _gone = Gone(Some(gone));
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
    assert_eq!(bench.store.flights(), 1);
    drop(second);
    assert_eq!(bench.store.flights(), 0);
    // The server sees the connection close.
    gone.await.unwrap();
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
    // The second caller has a seat on the first flight and does not look at its result.
    let (mut first, mut second) =
        (Box::pin(bench.store.fetch(&source)), Box::pin(bench.store.fetch(&source)));
    assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
    assert_eq!(first.await.unwrap().bytes(), b"revision 0");
    assert_eq!(bench.store.fetch(&source).await.unwrap().bytes(), b"revision 1");
    assert_eq!(second.await.unwrap().bytes(), b"revision 0");
    assert_eq!(bench.store.flights(), 0);
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

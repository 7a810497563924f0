//! Servers: well-behaved, failing and hostile.

use super::server::{Server, ok, redirect, status};
use super::*;
use axum::body::{Body, Bytes};
use axum::http::header;
use futures::{StreamExt, stream};
use std::future::ready;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Short enough for a test, and long enough that only a stalled server uses it up.
const SHORT: Duration = Duration::from_millis(300);
/// What a loaded machine may add to [`SHORT`].
const SLACK: Duration = Duration::from_secs(10);

fn short(config: &mut ArtifactConfig) {
    config.fetch_timeout = SHORT;
}

#[tokio::test]
async fn bytes_arrive_and_are_kept() {
    let server = Server::start(async |_, _| ok("wasm")).await;
    let bench = Bench::new(|_| {});
    let digest = digest_of(b"wasm");
    let fetched = bench.fetch(server.url("/a"), Some(digest)).await.unwrap();
    assert_eq!((fetched.digest(), fetched.bytes()), (digest, &b"wasm"[..]));
    assert_eq!((bench.blobs(), bench.temporaries()), (vec![digest], 0));
    assert_eq!(fs::read(bench.blob_path(digest)).unwrap(), b"wasm");

    let again = bench.fetch(server.url("/a"), Some(digest)).await.unwrap();
    let elsewhere = bench.fetch(server.url("/b"), Some(digest)).await.unwrap();
    assert_eq!((again.bytes(), elsewhere.bytes()), (&b"wasm"[..], &b"wasm"[..]));
    assert_eq!(server.paths(), ["/a"], "stored bytes are not fetched again");
}

#[tokio::test]
async fn a_wrong_checksum_fails_at_once_and_leaves_nothing() {
    let server = Server::start(async |_, _| ok("other")).await;
    let bench = Bench::new(|_| {});
    let (expected, found) = (digest_of(b"wasm"), digest_of(b"other"));
    let error = bench.fetch(server.url("/a"), Some(expected)).await.unwrap_err();
    assert_eq!(error, ArtifactError::ChecksumMismatch { expected, found });
    assert_eq!((server.requests(), bench.blobs(), bench.temporaries()), (1, vec![], 0));
}

#[tokio::test]
async fn a_missing_checksum_is_refused_unless_allowed() {
    let server = Server::start(async |_, _| ok("wasm")).await;
    let bench = Bench::new(|config| config.allow_missing_checksum = false);
    assert_eq!(bench.fetch(server.url("/a"), None).await.unwrap_err(), ArtifactError::MissingChecksum);
    assert_eq!(server.requests(), 0);
    assert_eq!(Bench::new(|_| {}).fetch(server.url("/a"), None).await.unwrap().digest(), digest_of(b"wasm"));
}

#[tokio::test]
async fn transient_statuses_are_retried() {
    for code in [408, 425, 429, 500, 502, 503, 504] {
        let server = Server::start(move |n, _| ready(if n == 0 { status(code) } else { ok("wasm") })).await;
        let bench = Bench::new(|_| {});
        let fetched = bench.fetch(server.url("/a"), None).await;
        assert_eq!(fetched.unwrap().bytes(), b"wasm", "{code}");
        assert_eq!(server.requests(), 2, "{code}");
    }
}

#[tokio::test]
async fn permanent_statuses_are_not_retried() {
    for code in [204, 206, 304, 400, 401, 403, 404, 410, 451] {
        let server = Server::start(move |_, _| ready(status(code))).await;
        let bench = Bench::new(|_| {});
        let (cause, attempts) = unavailable(bench.fetch(server.url("/a"), None).await);
        assert!(cause.contains(&code.to_string()), "{cause}");
        assert_eq!((attempts, server.requests(), bench.temporaries()), (1, 1, 0), "{code}");
    }
}

#[tokio::test]
async fn retries_end_after_three_with_the_last_cause() {
    let server = Server::start(async |n, _| status(500 + n as u16)).await;
    let bench = Bench::new(|_| {});
    let error = bench.fetch(server.url("/a?signature=secret"), None).await.unwrap_err();
    assert_eq!(server.requests(), 4);
    assert_eq!(
        error.to_string(),
        format!(
            "the artifact could not be fetched from {}: the server answered 503 Service Unavailable (4 tried)",
            server.url("/a")
        ),
    );
}

#[tokio::test]
async fn a_refused_connection_is_retried() {
    let listener = TcpListener::bind((SERVER, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (cause, attempts) = unavailable(Bench::new(|_| {}).fetch(format!("http://{address}/"), None).await);
    assert!(cause.contains("Connection refused"), "{cause}");
    assert_eq!(attempts, 4);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_retried() {
    let server = Server::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await;
    let bench = Bench::new(|_| {});
    let (cause, attempts) = unavailable(bench.fetch(server.url("/a"), None).await);
    assert!(cause.contains("body"), "{cause}");
    assert_eq!((attempts, server.requests(), bench.temporaries()), (4, 4, 0));

    let server = Server::start(async |n, _| {
        let broken = stream::iter([Ok("wa"), Err(io::Error::other("gone"))]);
        if n == 0 { ok(Body::from_stream(broken)) } else { ok("wasm") }
    });
    let server = server.await;
    assert_eq!(bench.fetch(server.url("/a"), None).await.unwrap().bytes(), b"wasm");
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_length_that_says_too_little_gives_other_bytes() {
    let server = Server::raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nwasm").await;
    let bench = Bench::new(|_| {});
    let (expected, found) = (digest_of(b"wasm"), digest_of(b"wa"));
    let error = bench.fetch(server.url("/a"), Some(expected)).await.unwrap_err();
    assert_eq!(error, ArtifactError::ChecksumMismatch { expected, found });
}

#[tokio::test]
async fn an_announced_length_over_the_bound_is_refused_before_the_body() {
    // The body never comes, so the fetch must not wait for it.
    for length in ["5", "999999999999", "18446744073709551613"] {
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        let server = Server::raw(answer).await;
        let bench = Bench::new(|config| config.max_bytes = 4);
        let error = bench.fetch(server.url("/a"), None).await.unwrap_err();
        assert_eq!(error, ArtifactError::TooLarge { max_bytes: 4 }, "{length}");
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn the_bound_in_bytes_holds_to_the_byte() {
    let server = Server::start(async |_, path| {
        let byte = || Ok::<_, io::Error>(Bytes::from_static(b"x"));
        ok(Body::from_stream(stream::repeat_with(byte).take(path[1..].parse().unwrap())))
    });
    let server = server.await;
    let bench = Bench::new(|config| config.max_bytes = 1_000);
    assert_eq!(bench.fetch(server.url("/1000"), None).await.unwrap().bytes().len(), 1_000);
    let error = bench.fetch(server.url("/1001"), None).await.unwrap_err();
    assert_eq!(error, ArtifactError::TooLarge { max_bytes: 1_000 });
    assert_eq!((server.requests(), bench.temporaries(), bench.blobs().len()), (2, 0, 1));
}

#[tokio::test]
async fn an_endless_body_ends_at_the_bound() {
    let server = Server::start(async move |_, _| {
        let chunk = || Ok::<_, io::Error>(Bytes::from_static(&[0; 64 << 10]));
        ok(Body::from_stream(stream::repeat_with(chunk)))
    });
    let server = server.await;
    let bench = Bench::new(|config| config.max_bytes = 1 << 20);
    let error = bench.fetch(server.url("/a"), None).await.unwrap_err();
    assert_eq!(error, ArtifactError::TooLarge { max_bytes: 1 << 20 });
    assert_eq!((server.requests(), bench.temporaries()), (1, 0));
}

#[tokio::test]
async fn a_body_that_stalls_ends_at_the_deadline() {
    let server = Server::start(async |_, _| {
        let first = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"wa"))]);
        ok(Body::from_stream(first.chain(stream::pending())))
    });
    let server = server.await;
    let bench = Bench::new(short);
    let started = Instant::now();
    let (cause, attempts) = unavailable(bench.fetch(server.url("/a"), None).await);
    assert!(started.elapsed() >= SHORT && started.elapsed() < SHORT + SLACK, "{:?}", started.elapsed());
    assert_eq!((cause.as_str(), attempts), ("the time for the fetch was over", 1));
    assert_eq!((server.requests(), bench.temporaries(), bench.store.fetches_under_way()), (1, 0, 0));
}

#[tokio::test]
async fn the_deadline_covers_retries_and_keeps_their_cause() {
    let server = Server::start(async |n, _| {
        if n > 0 {
            std::future::pending::<()>().await;
        }
        status(503)
    });
    let server = server.await;
    let bench = Bench::new(short);
    let started = Instant::now();
    let (cause, attempts) = unavailable(bench.fetch(server.url("/a"), None).await);
    assert!(started.elapsed() < SHORT + SLACK, "{:?}", started.elapsed());
    assert_eq!(
        (cause.as_str(), attempts),
        ("the time for the fetch was over; before that: the server answered 503 Service Unavailable", 2)
    );
}

/// With paused time, the clock jumps to the next deadline when every task waits.
#[tokio::test(start_paused = true)]
async fn a_silent_server_is_retried_within_thirty_seconds() {
    let server = Server::start(async |_, _| std::future::pending().await).await;
    let bench = Bench::new(|_| {});
    let started = tokio::time::Instant::now();
    let (cause, attempts) = unavailable(bench.fetch(server.url("/a"), None).await);
    assert_eq!((started.elapsed().as_secs(), attempts, server.requests()), (30, 3, 3));
    assert!(cause.starts_with("the time for the fetch was over; before that: "), "{cause}");
    assert!(cause.contains("timed out"), "{cause}");
}

/// Each byte comes in time, the whole body never does.
#[tokio::test(start_paused = true)]
async fn a_dripping_body_ends_at_thirty_seconds() {
    let server = Server::start(async |_, _| {
        let drops = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, io::Error>(Bytes::from_static(b"x")), ()))
        });
        ok(Body::from_stream(drops))
    });
    let server = server.await;
    let bench = Bench::new(|_| {});
    let started = tokio::time::Instant::now();
    let (cause, attempts) = unavailable(bench.fetch(server.url("/a"), None).await);
    assert_eq!((started.elapsed().as_secs(), attempts, server.requests()), (30, 1, 1));
    assert_eq!((cause.as_str(), bench.temporaries()), ("the time for the fetch was over", 0));
}

#[tokio::test]
async fn https_needs_tls_and_plain_text_is_refused() {
    let server = Server::start(async |_, _| ok("wasm")).await;
    let location = server.url("/a").replace("http:", "https:");
    let (cause, attempts) = unavailable(Bench::new(|_| {}).fetch(location, None).await);
    assert!(cause.contains("InvalidContentType"), "{cause}");
    assert_eq!((attempts, server.requests()), (4, 0));
}

#[tokio::test]
async fn five_redirects_are_followed_and_a_sixth_is_not() {
    for (hops, code) in [(5, 301), (5, 302), (5, 303), (5, 307), (5, 308), (6, 302)] {
        let hop = move |n| if n < hops { redirect(code, &format!("hop-{}", n + 1)) } else { ok("wasm") };
        let server = Server::start(move |n, _| ready(hop(n))).await;
        let fetched = Bench::new(|_| {}).fetch(server.url("/hop-0"), None).await;
        assert_eq!(server.requests(), 6);
        if hops == 5 {
            assert_eq!(fetched.unwrap().bytes(), b"wasm", "{code}");
        } else {
            assert_eq!(unavailable(fetched), ("it redirects more than 5 times".to_owned(), 1));
        }
    }
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let server = Server::start(async |_, path| redirect(302, &path)).await;
    let fetched = Bench::new(|_| {}).fetch(server.url("/loop"), None).await;
    assert_eq!(unavailable(fetched), ("it redirects more than 5 times".to_owned(), 1));
    assert_eq!(server.requests(), 6);
}

#[tokio::test]
async fn redirects_to_other_than_web_locations_are_refused() {
    let long = format!("http://{SERVER}/{}", "a".repeat(3_000));
    for (target, says) in [
        ("file:///etc/passwd", "redirects to the scheme \"file\""),
        ("gopher://example.com/", "redirects to the scheme \"gopher\""),
        ("http://user:secret@example.com/", "credentials"),
        (&long, "URL of over 2048 bytes"),
    ] {
        let answer = target.to_owned();
        let server = Server::start(move |_, _| ready(redirect(302, &answer))).await;
        let error = Bench::new(|_| {}).fetch(server.url("/a"), None).await.unwrap_err();
        assert!(matches!(error, ArtifactError::InvalidLocation { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(server.requests(), 1);
    }
    let server = Server::start(async |_, _| status(302)).await;
    let (cause, attempts) = unavailable(Bench::new(|_| {}).fetch(server.url("/a"), None).await);
    assert_eq!((cause.as_str(), attempts), ("it redirects without saying where to", 1));
}

#[tokio::test]
async fn compressed_bytes_are_kept_as_they_are() {
    let gzip = b"\x1f\x8b\x08not-really-gzip";
    let server = Server::start(async |_, _| {
        let mut response = ok(gzip.to_vec());
        response.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        response
    });
    let server = server.await;
    let fetched = Bench::new(|_| {}).fetch(server.url("/a"), Some(digest_of(gzip))).await.unwrap();
    assert_eq!(fetched.bytes(), gzip);
    let headers = server.headers(0);
    assert_eq!(headers[header::ACCEPT_ENCODING], "identity");
    assert!(headers[header::USER_AGENT].to_str().unwrap().starts_with("pilum/"));
    assert!(!headers.contains_key(header::COOKIE) && !headers.contains_key(header::AUTHORIZATION));
}

#[tokio::test]
async fn only_the_public_addresses_of_a_name_are_used() {
    let server = Server::start(async |_, _| ok("wasm")).await;
    let private = TcpListener::bind(("127.77.0.2", server.address.port())).unwrap();
    let (lookup, left) = scripted_lookup(vec![vec!["127.77.0.2".parse().unwrap(), SERVER]]);
    let bench = Bench::with_lookup(lookup, |_| {});
    let location = format!("http://artifacts.test:{}/a", server.address.port());
    assert_eq!(bench.fetch(location, None).await.unwrap().bytes(), b"wasm");
    assert_eq!((server.requests(), left.lock().unwrap().len()), (1, 0));
    assert!(nobody_connected(&private));
}

#[tokio::test]
async fn a_name_is_checked_again_at_every_attempt() {
    let server = Server::start(async |_, _| status(503)).await;
    let private = TcpListener::bind(("127.77.0.2", server.address.port())).unwrap();
    let (lookup, left) = scripted_lookup(vec![vec![SERVER], vec!["127.77.0.2".parse().unwrap()]]);
    let bench = Bench::with_lookup(lookup, |_| {});
    let location = format!("http://rebind.test:{}/a", server.address.port());
    let error = bench.fetch(location, None).await.unwrap_err();
    assert_eq!(error, ArtifactError::AddressNotPublic { host: "rebind.test".to_owned() });
    assert_eq!((server.requests(), left.lock().unwrap().len()), (1, 0));
    assert!(nobody_connected(&private));
}

/// Whether no client has connected.
pub(super) fn nobody_connected(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

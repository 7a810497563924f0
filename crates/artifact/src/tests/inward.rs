//! Locations that point into the operator's own network: no connection is made.

use super::server::{Server, ok, redirect};
use super::web::nobody_connected;
use super::*;
use std::net::TcpListener;

/// Spellings of addresses that are not public. `{port}` is a port that listens on
/// 127.0.0.1.
const INWARD: [&str; 46] = [
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.255.255.254:{port}/",
    "http://2130706433:{port}/",
    "http://017700000001:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0177.0.0x0.1:{port}/",
    "http://00000177.0.0.1:{port}/",
    "http://0x7F.0x0.0x0.0x1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://１２７.0.0.1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0x0:{port}/",
    "http://10.0.0.1/",
    "http://10.255.255.255:8080/a.wasm",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://0300.0250.1.1/",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/latest/meta-data/",
    "http://0251.0376.0251.0376/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "http://[64:ff9b::a9fe:a9fe]/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
];

fn corpus(listener: &TcpListener) -> Vec<String> {
    let port = listener.local_addr().unwrap().port().to_string();
    INWARD.map(|location| location.replace("{port}", &port)).to_vec()
}

fn not_public(fetched: &Result<VerifiedArtifact, ArtifactError>) -> bool {
    matches!(fetched, Err(ArtifactError::AddressNotPublic { .. }))
}

#[tokio::test]
async fn given_as_the_location() {
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    // A lookup panics: none of these hosts is a name.
    let bench = Bench::with_lookup(scripted_lookup(vec![]).0, |_| {});
    for location in corpus(&inside) {
        let fetched = bench.fetch(&location, None).await;
        assert!(not_public(&fetched), "{location}: {fetched:?}");
    }
    assert!(nobody_connected(&inside));
    assert_eq!((bench.blobs(), bench.temporaries()), (vec![], 0));
}

#[tokio::test]
async fn given_by_a_redirect() {
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    let targets = corpus(&inside);
    let all = targets.len();
    // Header lines are ASCII, so other characters are percent-encoded.
    let answers: Vec<String> = targets
        .into_iter()
        .map(|target| target.chars().map(|c| if c.is_ascii() { c.to_string() } else { encoded(c) }).collect())
        .collect();
    let told = answers.clone();
    let server = Server::start(move |n, _| std::future::ready(redirect(302, &told[n])));
    let server = server.await;
    let bench = Bench::with_lookup(scripted_lookup(vec![]).0, |_| {});
    for target in answers {
        let fetched = bench.fetch(server.url("/"), None).await;
        assert!(not_public(&fetched), "{target}: {fetched:?}");
    }
    assert_eq!(server.requests(), all);
    assert!(nobody_connected(&inside));
}

#[tokio::test]
async fn given_by_name() {
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = inside.local_addr().unwrap().port();
    let bench = Bench::new(|_| {});
    for host in ["localhost", "LOCALHOST", "loc%61lhost"] {
        let fetched = bench.fetch(format!("http://{host}:{port}/"), None).await;
        assert!(not_public(&fetched), "{host}: {fetched:?}");
    }
    assert!(nobody_connected(&inside));
}

#[tokio::test]
async fn allowed_where_the_operator_allows_it() {
    let server = Server::start(async |_, _| ok("wasm")).await;
    let directory = TempDir::new().unwrap();
    let mut config = ArtifactConfig::new(directory.path());
    let location = server.url("/a");
    let source = ArtifactSource { location, checksum: Some(digest_of(b"wasm")) };
    let closed = ArtifactStore::open(config.clone()).unwrap();
    assert!(not_public(&closed.fetch(&source).await));
    assert_eq!(server.requests(), 0);
    drop(closed);
    config.allow_private_addresses = true;
    let open = ArtifactStore::open(config).unwrap();
    assert_eq!(open.fetch(&source).await.unwrap().bytes(), b"wasm");
}

fn encoded(c: char) -> String {
    c.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect()
}

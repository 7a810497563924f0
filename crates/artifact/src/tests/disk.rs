//! What is stored, what is evicted, and what is found again after a restart.

use super::server::{Server, ok};
use super::*;
use std::fs::File;
use std::time::{Duration, SystemTime};

/// One block, the least disk that a blob takes.
const BLOCK: u64 = 4_096;

/// Serves `/x` as the letter x, a thousand times.
async fn letters() -> Server {
    Server::start(async |_, path| ok(path[1..].repeat(1_000))).await
}

fn letter(name: &str) -> Digest {
    digest_of(name.repeat(1_000).as_bytes())
}

fn sorted(names: &[&str]) -> Vec<Digest> {
    let mut digests: Vec<_> = names.iter().map(|name| letter(name)).collect();
    digests.sort_unstable();
    digests
}

async fn fetch_letter(bench: &Bench, server: &Server, name: &str) {
    let fetched = bench.fetch(server.url(&format!("/{name}")), Some(letter(name))).await;
    assert_eq!(fetched.unwrap().bytes(), name.repeat(1_000).as_bytes());
}

#[tokio::test]
async fn damaged_bytes_are_deleted_and_fetched_again() {
    let server = letters().await;
    let bench = Bench::new(|_| {});
    fetch_letter(&bench, &server, "a").await;
    let path = bench.blob_path(letter("a"));
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[500] ^= 1;
    for (nth, damaged) in [&flipped[..], &good[..999], b"", b"something else"].into_iter().enumerate() {
        fs::write(&path, damaged).unwrap();
        fetch_letter(&bench, &server, "a").await;
        assert_eq!(server.requests(), nth + 2);
        assert_eq!(fs::read(&path).unwrap(), good);
    }
    fs::write(&path, b"damaged").unwrap();
    let location = "http://127.0.0.1/a";
    let error = bench.fetch(location, Some(letter("a"))).await.unwrap_err();
    assert!(matches!(error, ArtifactError::AddressNotPublic { .. }), "{error:?}");
    assert!(!path.exists(), "damaged bytes do not stay where nothing replaces them");
}

#[tokio::test]
async fn a_deleted_blob_is_fetched_again() {
    let server = letters().await;
    let bench = Bench::new(|_| {});
    fetch_letter(&bench, &server, "a").await;
    fs::remove_file(bench.blob_path(letter("a"))).unwrap();
    fetch_letter(&bench, &server, "a").await;
    assert_eq!((server.requests(), bench.blobs()), (2, sorted(&["a"])));
}

#[tokio::test]
async fn the_least_recently_used_are_evicted() {
    let server = letters().await;
    let bench = Bench::new(|config| config.disk_max_bytes = 3 * BLOCK);
    for name in ["a", "b", "c", "a", "d"] {
        fetch_letter(&bench, &server, name).await;
    }
    assert_eq!(bench.blobs(), sorted(&["a", "c", "d"]));
    assert_eq!(server.requests(), 4);
    fetch_letter(&bench, &server, "b").await;
    assert_eq!((server.requests(), bench.blobs()), (5, sorted(&["a", "b", "d"])));
}

#[tokio::test]
async fn pinned_bytes_stay() {
    let server = letters().await;
    let bench = Bench::new(|config| config.disk_max_bytes = 2 * BLOCK);
    // Pinned before the blob is there, and twice.
    bench.store.pin(letter("a"));
    bench.store.pin(letter("a"));
    for name in ["a", "b", "c", "d"] {
        fetch_letter(&bench, &server, name).await;
    }
    assert_eq!(bench.blobs(), sorted(&["a", "d"]));
    bench.store.unpin(letter("a"));
    for name in ["e", "f"] {
        fetch_letter(&bench, &server, name).await;
    }
    assert_eq!(bench.blobs(), sorted(&["a", "f"]));
    bench.store.unpin(letter("a"));
    bench.store.unpin(letter("a"));
    assert_eq!(bench.blobs(), sorted(&["a", "f"]), "nothing is evicted before its room is needed");
    fetch_letter(&bench, &server, "g").await;
    assert_eq!(bench.blobs(), sorted(&["f", "g"]));
}

#[tokio::test]
async fn pins_may_exceed_the_bound_and_nothing_else_does() {
    let server = letters().await;
    let bench = Bench::new(|config| config.disk_max_bytes = BLOCK);
    for name in ["a", "b"] {
        bench.store.pin(letter(name));
        fetch_letter(&bench, &server, name).await;
    }
    fetch_letter(&bench, &server, "c").await;
    assert_eq!(bench.blobs(), sorted(&["a", "b"]));
}

#[tokio::test]
async fn bytes_and_the_order_of_their_use_outlive_a_restart() {
    let server = letters().await;
    let mut bench = Bench::new(|_| {});
    for (age, name) in [(10, "a"), (30, "b"), (20, "c")] {
        fetch_letter(&bench, &server, name).await;
        let used = SystemTime::now() - Duration::from_secs(age);
        File::open(bench.blob_path(letter(name))).unwrap().set_modified(used).unwrap();
    }
    // A use sets the time too: "b", the oldest, becomes the newest.
    fetch_letter(&bench, &server, "b").await;
    bench = bench.reopened(|config| config.disk_max_bytes = 2 * BLOCK);
    assert_eq!(bench.blobs(), sorted(&["a", "b", "c"]), "a start deletes nothing");
    for name in ["a", "b", "c"] {
        let used = SystemTime::now() - Duration::from_secs(if name == "b" { 5 } else { 50 });
        assert!(fs::metadata(bench.blob_path(letter(name))).unwrap().modified().unwrap() > used);
    }
    assert_eq!(server.requests(), 3);
    fetch_letter(&bench, &server, "d").await;
    assert_eq!(bench.blobs(), sorted(&["b", "d"]));
    drop(server);
    let kept = bench.fetch("http://192.0.2.1/gone", Some(letter("b"))).await.unwrap();
    assert_eq!(kept.digest(), letter("b"));
}

#[tokio::test]
async fn leftovers_of_a_killed_process_are_removed() {
    let bench = Bench::new(|_| {});
    fs::write(bench.config.directory.join("blobs/tmp/.tmpAbCdEf"), b"half of it").unwrap();
    fs::write(bench.config.directory.join("blobs/sha256/README"), b"not ours").unwrap();
    assert_eq!(bench.temporaries(), 1);
    let bench = bench.reopened(|_| {});
    assert_eq!(bench.temporaries(), 0);
    assert!(bench.config.directory.join("blobs/sha256/README").exists());
}

#[tokio::test]
async fn a_lower_bound_holds_for_blobs_from_before() {
    let server = letters().await;
    let bench = Bench::new(|_| {});
    fetch_letter(&bench, &server, "a").await;
    let bench = bench.reopened(|config| config.max_bytes = 999);
    let error = bench.fetch(server.url("/a"), Some(letter("a"))).await.unwrap_err();
    assert_eq!(error, ArtifactError::TooLarge { max_bytes: 999 });
}

#[tokio::test]
async fn an_error_of_the_disk_is_a_storage_error_and_not_retried() {
    let server = letters().await;
    let bench = Bench::new(|_| {});
    fs::remove_dir(bench.config.directory.join("blobs/tmp")).unwrap();
    let error = bench.fetch(server.url("/a"), None).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Storage(_)), "{error:?}");
    assert_eq!(server.requests(), 0);

    let bench = Bench::new(|_| {});
    let sha256 = bench.config.directory.join("blobs/sha256");
    fs::remove_dir(&sha256).unwrap();
    fs::write(&sha256, b"in the way").unwrap();
    let error = bench.fetch(server.url("/a"), None).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Storage(_)), "{error:?}");
    assert_eq!((server.requests(), bench.temporaries()), (1, 0));
}

#[test]
fn a_directory_that_cannot_be_used_stops_the_start() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = ArtifactStore::open(ArtifactConfig::new(&file)).err().unwrap();
    assert!(matches!(error, ArtifactError::Storage(_)), "{error:?}");
}

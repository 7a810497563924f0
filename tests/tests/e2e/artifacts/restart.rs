//! Artifacts after a restart over the same data.

use super::{Server, add, adder, adder_at, files};
use crate::common::call_ok;
use pilum_tests::Host;
use std::path::Path;
use std::time::Duration;

const PRIVATE: &str = "[artifacts]\nallow_private_addresses = true";

async fn host(data: &Path, config: &str) -> Host {
    Host::builder().data_dir(data).config(config).start().await.unwrap()
}

async fn stop(host: Host) {
    assert!(host.terminate(Duration::from_secs(30)).await.unwrap());
}

#[tokio::test]
async fn code_runs_without_its_source() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = root.path().canonicalize().unwrap().join("adder.wasm");
    std::fs::write(&path, adder()).unwrap();
    let config = format!("[artifacts]\nroots = [{:?}]", path.parent().unwrap());
    let request = add("adder", &adder_at(&format!("file://{}", path.display())));

    let first = host(data.path(), &config).await;
    call_ok(&first.raw_client().await.unwrap(), request.clone()).await;
    stop(first).await;
    std::fs::remove_file(&path).unwrap();

    // Runs from the kept bytes, and from the native code alone.
    for keep_bytes in [true, false] {
        if !keep_bytes {
            std::fs::remove_dir_all(data.path().join("blobs/sha256")).unwrap();
        }
        let again = host(data.path(), &config).await;
        call_ok(&again.raw_client().await.unwrap(), request.clone()).await;
        stop(again).await;
    }
}

#[tokio::test]
async fn code_is_fetched_once() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::with_adder().await;
    let request = add("adder", &adder_at(&server.url()));
    for _ in 0..3 {
        let host = host(data.path(), PRIVATE).await;
        call_ok(&host.raw_client().await.unwrap(), request.clone()).await;
        stop(host).await;
    }
    assert_eq!(server.requests(), 1);
}

/// One bit in each file of the data directory is changed. The host runs none of it, and
/// the call succeeds.
#[tokio::test]
async fn damaged_files_are_not_used() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::with_adder().await;
    let request = add("adder", &adder_at(&server.url()));
    let first = host(data.path(), PRIVATE).await;
    call_ok(&first.raw_client().await.unwrap(), request.clone()).await;
    stop(first).await;
    assert!(files(data.path()) >= 2, "the artifact and its native code");
    damage(data.path());
    let again = host(data.path(), PRIVATE).await;
    call_ok(&again.raw_client().await.unwrap(), request).await;
    assert_eq!(server.requests(), 2, "the damaged bytes were fetched again");
}

fn damage(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            damage(&path);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

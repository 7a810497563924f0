//! `file:` locations give access to files below a root only.

use super::{add, adder, adder_at, refusal};
use crate::common::call_ok;
use pilum_tests::Host;
use pilum_tests::wire::RawClient;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;
use tonic::Code;

/// A root and a directory beside it; both contain the adder.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for folder in ["root/inner", "outside"] {
            std::fs::create_dir_all(directory.path().join(folder)).unwrap();
        }
        for file in ["root/adder.wasm", "root/inner/adder.wasm", "root/a b.wasm", "outside/adder.wasm"] {
            std::fs::write(directory.path().join(file), adder()).unwrap();
        }
        Self { directory }
    }

    fn path(&self, below: &str) -> String {
        self.directory.path().canonicalize().unwrap().join(below).display().to_string()
    }

    async fn host(&self) -> (Host, RawClient) {
        let config = format!("[artifacts]\nroots = [{:?}]", self.path("root"));
        let host = Host::builder().config(&config).start().await.unwrap();
        let client = host.raw_client().await.unwrap();
        (host, client)
    }
}

#[tokio::test]
async fn a_file_below_a_root_runs() {
    let place = Place::new();
    let (_host, client) = place.host().await;
    symlink("inner/adder.wasm", place.path("root/link.wasm")).unwrap();
    for (i, location) in [
        format!("file://{}", place.path("root/adder.wasm")),
        format!("file://localhost{}", place.path("root/adder.wasm")),
        format!("file:{}", place.path("root/inner/adder.wasm")),
        "file:inner/adder.wasm".to_owned(),
        "FILE:inner/../inner/./adder.wasm".to_owned(),
        "file:a%20b.wasm".to_owned(),
        "file:link.wasm".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        // A host keeps the bytes of each digest, so each location gets a new host.
        let (_host, client) = place.host().await;
        call_ok(&client, add(&format!("t{i}"), &adder_at(location))).await;
    }
    call_ok(&client, add("t", &adder_at("file:adder.wasm"))).await;
}

#[tokio::test]
async fn a_file_outside_of_every_root_is_refused() {
    let place = Place::new();
    let (_host, client) = place.host().await;
    let outside = place.path("outside/adder.wasm");
    symlink(&outside, place.path("root/absolute.wasm")).unwrap();
    symlink("../outside/adder.wasm", place.path("root/relative.wasm")).unwrap();
    symlink("../outside", place.path("root/folder")).unwrap();
    symlink("/", place.path("root/inner/slash")).unwrap();
    let root = place.path("root");
    for location in [
        format!("file://{outside}"),
        format!("file:{outside}"),
        format!("file://{root}/../outside/adder.wasm"),
        format!("file://{root}/inner/../../outside/adder.wasm"),
        format!("file:inner/slash{outside}"),
        "file:../outside/adder.wasm".into(),
        "file:inner/../../outside/adder.wasm".into(),
        "file:%2e%2e/outside/adder.wasm".into(),
        "file:..%2Foutside%2Fadder.wasm".into(),
        "file:absolute.wasm".into(),
        "file:relative.wasm".into(),
        "file:folder/adder.wasm".into(),
        "file:///etc/passwd".into(),
        "file:/etc/passwd".into(),
        "file:///proc/self/environ".into(),
        "file:..".into(),
        "file:/".into(),
        // Not a path, or not the path of a file.
        "file://evil.example/adder.wasm".into(),
        "file:adder.wasm?x".into(),
        "file:adder.wasm#x".into(),
        "file:adder.wasm%00".into(),
        "file:adder%zz.wasm".into(),
        "file:%ff.wasm".into(),
        "file:".into(),
        "file://".into(),
    ] {
        let status = refusal(&client, add("t", &adder_at(&location))).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{location}: {status:?}");
        assert!(status.message().starts_with("artifact_spec.location: "), "{location}: {status:?}");
    }
}

#[tokio::test]
async fn paths_of_directories_and_devices_are_refused() {
    let place = Place::new();
    let (_host, client) = place.host().await;
    let made = std::process::Command::new("mkfifo").arg(place.path("root/fifo")).status().unwrap();
    assert!(made.success());
    symlink("loop", place.path("root/loop")).unwrap();
    let long = format!("file:{}", "n".repeat(1_000));
    // The location is decoded only once, so this name contains a percent sign.
    let twice = "file:%252e%252e/outside/adder.wasm";
    for location in ["file:absent.wasm", "file:inner", "file:.", "file:fifo", "file:loop", twice, &long] {
        let status = refusal(&client, add("t", &adder_at(location))).await;
        assert_eq!(status.code(), Code::Unavailable, "{location}: {status:?}");
    }
}

#[tokio::test]
async fn refusals_do_not_show_which_files_exist_outside() {
    let place = Place::new();
    let (_host, client) = place.host().await;
    let there = place.path("outside/adder.wasm");
    let not_there = place.path("outside/absent.wasm");
    assert!(Path::new(&there).exists() && !Path::new(&not_there).exists());
    let mut answers = Vec::new();
    for path in [there, not_there] {
        let location = format!("file://{path}");
        let status = refusal(&client, add("t", &adder_at(&location))).await;
        answers.push((status.code(), status.message().replace(&location, "")));
    }
    assert_eq!(answers[0], answers[1]);
}

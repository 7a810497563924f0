//! Artifacts that are not the promised code, and functions that they do not export.

use super::check;
use pilum_proto::spearlet::ArtifactSpec;
use pilum_tests::wire::{artifact, asynchronous, guest_artifact, new_task, numbers};
use pilum_tests::{Host, digest_of, guest, wasm};
use std::path::Path;
use tonic::Code;

/// The names of all artifact files that the host keeps.
fn kept(data_dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for folder in ["blobs/tmp", "blobs/sha256"] {
        for entry in std::fs::read_dir(data_dir.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                let blobs = std::fs::read_dir(entry.path()).unwrap();
                names.extend(blobs.map(|blob| blob.unwrap().file_name().into_string().unwrap()));
            } else {
                names.push(entry.file_name().into_string().unwrap());
            }
        }
    }
    names
}

#[tokio::test]
async fn a_wrong_checksum_is_refused_and_nothing_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::builder().data_dir(data.path()).start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let good = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let bad = ArtifactSpec { checksum: digest_of(b"other bytes"), ..good.clone() };
    for request in
        [new_task("t", &bad, "add", numbers(&[1.0, 2.0])), asynchronous(new_task("t", &bad, "add", vec![]))]
    {
        let says = &["has the digest", &good.checksum, &bad.checksum];
        check(&client, request, Code::FailedPrecondition, "", says).await;
    }
    assert_eq!(kept(data.path()), Vec::<String>::new());

    let right = new_task("t", &good, "add", numbers(&[1.0, 2.0]));
    assert!(client.clone().invoke_function(right).await.unwrap().into_inner().success);
    assert_eq!(kept(data.path()), [good.checksum.trim_start_matches("sha256:")]);
}

#[tokio::test]
async fn bytes_that_are_no_webassembly_are_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let module = guest("calculate-fibonacci.core.wasm").unwrap();
    let component = guest("calculate-fibonacci.wasm").unwrap();
    let mut of_another_version = module.clone();
    of_another_version[4] = 2;
    let mut broken = module.clone();
    broken[8] = 0x7f;
    let mut too_large = vec![0; 33 << 20];
    too_large[..8].copy_from_slice(&module[..8]);
    for (name, bytes, says) in [
        ("empty", &[][..], "it is empty"),
        ("text", b"#!/bin/sh\necho hello\n", "offset 0"),
        ("elf", b"\x7fELF\x02\x01\x01\0\0\0\0\0", "offset 0"),
        ("four-bytes", &module[..4], "offset 0"),
        ("another-version", &of_another_version, "offset 0"),
        ("half-a-module", &module[..module.len() / 2], "offset"),
        ("half-a-component", &component[..component.len() / 2], "section range"),
        ("one-byte-short", &module[..module.len() - 1], "offset"),
        ("unknown-section", &broken, "offset"),
        ("33-mib", &too_large, "larger than 33554432 bytes"),
    ] {
        let artifact = artifact(host.put(name, bytes).unwrap());
        // Twice: the host remembers the first refusal, and the second must be the same.
        for request in
            [new_task(name, &artifact, "f", vec![]), asynchronous(new_task(name, &artifact, "f", vec![]))]
        {
            check(&client, request, Code::FailedPrecondition, "", &[says]).await;
        }
    }
}

#[tokio::test]
async fn imports_that_are_not_granted_are_named() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (name, text, missing, granted) in [
        (
            "core",
            r#"(module
                 (import "env" "secret" (func))
                 (import "host" "do it" (func (param i32)))
                 (import "env" "memory" (memory 1))
                 (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
                 (import "wasi_snapshot_preview1" "no_such" (func))
                 (func (export "f")))"#,
            &["env::secret", "host::do it", "env::memory", "wasi_snapshot_preview1::no_such"][..],
            "sched_yield",
        ),
        (
            "component",
            r#"(component
                 (import "acme:bank/vault@1.0.0" (instance (export "open" (func))))
                 (import "take-all" (func))
                 (import "wasi:random/random@0.2.0" (instance)))"#,
            &["acme:bank/vault@1.0.0", "take-all"],
            "wasi:random",
        ),
    ] {
        let artifact = artifact(host.put(name, &wasm(text).unwrap()).unwrap());
        let says = [&["imports what is not granted"], missing].concat();
        check(&client, new_task(name, &artifact, "f", vec![]), Code::FailedPrecondition, "", &says).await;
        let Err(status) = client.clone().invoke_function(new_task(name, &artifact, "f", vec![])).await else {
            panic!("{name} was not refused")
        };
        assert!(!status.message().contains(granted), "{status:?}");
    }
}

#[tokio::test]
async fn an_unknown_function_is_refused_with_a_list_of_those_exported() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (guest, says) in [
        (
            "calculate-fibonacci.wasm",
            &["add: func(a: s32, b: s32) -> s32", "calculate-fibonacci: func(n: u32) -> u64"][..],
        ),
        ("calculate-fibonacci.core.wasm", &["add: func(p0: s32, p1: s32) -> s32"]),
        (
            "validate-email.wasm",
            &["pilum:examples/emails@0.1.0#validate-email: func(address: string) -> result<"],
        ),
    ] {
        let artifact = guest_artifact(guest).unwrap();
        let says = [&["no function no-such is exported"], says].concat();
        let request = new_task("t", &artifact, "no-such", vec![]);
        check(&client, request.clone(), Code::NotFound, "", &says).await;
        check(&client, asynchronous(request), Code::NotFound, "", &says).await;
    }
    let nothing = artifact(host.put("nothing", &wasm("(module)").unwrap()).unwrap());
    check(&client, new_task("t", &nothing, "f", vec![]), Code::NotFound, "", &["there is: nothing"]).await;
}

#[tokio::test]
async fn code_that_needs_more_memory_than_the_limit_is_refused() {
    let host = Host::builder().config("[limits]\nmemory_max_bytes = 1048576").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let large = wasm("(module (memory 17) (func (export \"f\")))").unwrap();
    let large = artifact(host.put("large", &large).unwrap());
    let says = &["memory", "1114112"];
    check(&client, new_task("t", &large, "f", vec![]), Code::FailedPrecondition, "", says).await;
}

#[tokio::test]
async fn an_artifact_that_cannot_be_fetched_is_unavailable() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let absent = artifact(("file:absent.wasm".into(), digest_of(b"absent")));
    let says = &["could not be fetched", "file:absent.wasm"];
    check(&client, new_task("t", &absent, "f", vec![]), Code::Unavailable, "", says).await;
}

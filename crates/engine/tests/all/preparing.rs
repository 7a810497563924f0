//! Preparing code: what is refused and why, and what is done only once.

use crate::rig::{LIMITS, Rig, ended, engine};
use pilum_types::ArtifactSource;

const ADD: &str = r#"(module (func (export "add") (param i32 i32) (result i32)
    (i32.add (local.get 0) (local.get 1))))"#;

#[tokio::test]
async fn bytes_that_are_not_wasm_are_refused_with_the_offset() {
    let rig = Rig::new();
    let add = wat::parse_str(ADD).unwrap();
    let mut wrong_opcode = add.clone();
    *wrong_opcode.iter_mut().rev().nth(1).unwrap() = 0xff;
    for (bytes, says) in [
        (&b""[..], "it is empty"),
        (b"\x7fELF", "at offset 0: it does not begin with a WebAssembly header"),
        (b"(module)", "at offset 0: it does not begin with a WebAssembly header"),
        (&add[..8 + 3], "unexpected end-of-file (at offset 0xa)"),
        (&wrong_opcode, "at offset "),
    ] {
        let error = rig.code_of_bytes(bytes).await.unwrap_err().to_string();
        assert!(
            error.starts_with("the artifact is not a valid WebAssembly module or component: "),
            "{error}"
        );
        assert!(error.contains(says), "{error}");
    }
}

#[tokio::test]
async fn every_import_that_is_not_granted_is_named() {
    let rig = Rig::new();
    let wat = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (import "env" "host_secret" (func)) (import "wasi_unstable" "fd_write" (func)))"#;
    assert_eq!(
        rig.code(wat).await.unwrap_err().to_string(),
        "the artifact imports what is not granted: env::host_secret, wasi_unstable::fd_write"
    );
    let component = r#"(component (import "acme:bank/vault@1.0.0" (instance)) (import "wasi:http/types@0.2.0" (instance)))"#;
    assert_eq!(
        rig.code(component).await.unwrap_err().to_string(),
        "the artifact imports what is not granted: acme:bank/vault@1.0.0"
    );
}

/// The interfaces that take a grant, in every version that is linked, with the manifest's
/// entry for each.
fn granted_interfaces() -> Vec<(&'static str, String, &'static str)> {
    let values = r#"(type $e' (variant (case "upstream" string) (case "io" string)))
        (export "error" (type $e (eq $e')))
        (export "get" (func (param "key" string) (result (result (option string) (error $e)))))
        (export "get-all" (func (result (result (list (tuple string string)) (error $e)))))"#;
    let log = r#"(type $l' (enum "trace" "debug" "info" "warn" "error" "critical"))
        (export "level" (type $l (eq $l')))
        (export "log" (func (param "level" $l) (param "context" string) (param "message" string)))"#;
    [
        ("wasi:config/store@0.2.0-rc.1", values, "[grants.config]"),
        ("wasi:config/store@0.2.0-draft-2024-09-27", values, "[grants.config]"),
        ("wasi:config/runtime@0.2.0-draft", values, "[grants.config]"),
        ("wasi:logging/logging@0.1.0-draft", log, "[grants] logging = true"),
        ("wasi:logging/logging", log, "[grants] logging = true"),
    ]
    .map(|(name, exports, entry)| {
        (name, format!("(component (import \"{name}\" (instance {exports})))"), entry)
    })
    .to_vec()
}

#[tokio::test]
async fn every_version_of_a_granted_interface_is_linked() {
    let rig = Rig::new();
    for (name, wat, entry) in granted_interfaces() {
        // If the types differed, the error would be another one.
        assert_eq!(
            rig.code(&wat).await.unwrap_err().to_string(),
            format!(
                "the artifact imports what is not granted: {name} (granted by `{entry}` in the task's manifest)"
            )
        );
    }
}

#[tokio::test]
async fn features_that_are_off_are_refused() {
    let rig = Rig::new();
    for wat in ["(module (memory i64 1))", "(module (memory 1 1 shared))", "(module (memory 1) (memory 1))"] {
        assert!(rig.code(wat).await.is_err(), "{wat}");
    }
}

#[tokio::test]
async fn a_restart_does_not_compile_again() {
    let first = Rig::new();
    let digest = first.code(ADD).await.unwrap().digest();
    drop(first.engine);
    // The artifact's blob and its file are removed, so only native code can serve this.
    std::fs::remove_dir_all(first.directory.path().join("blobs")).unwrap();
    std::fs::remove_file(first.directory.path().join("code.wasm")).unwrap();
    let again = Rig { engine: engine(first.directory.path(), false), directory: first.directory };
    let source = ArtifactSource { location: "file:code.wasm".to_owned(), checksum: Some(digest) };
    let code = again.engine.prepare(&source, &Default::default()).await.unwrap();
    let sum = again.call(&code, "add", vec![2.into(), 3.into()], LIMITS).await.unwrap();
    assert_eq!(ended(&sum), "value Signed(5)");
}

#[tokio::test]
async fn tampered_native_code_is_not_used() {
    let first = Rig::new();
    let digest = first.code(ADD).await.unwrap().digest();
    drop(first.engine);
    let native = std::fs::read_dir(first.directory.path().join("native")).unwrap();
    let file =
        native.map(|f| f.unwrap().path()).find(|f| f.extension().is_some_and(|e| e == "native")).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&file, &bytes).unwrap();
    let again = Rig { engine: engine(first.directory.path(), false), directory: first.directory };
    let source = ArtifactSource { location: "file:code.wasm".to_owned(), checksum: Some(digest) };
    let code = again.engine.prepare(&source, &Default::default()).await.unwrap();
    let sum = again.call(&code, "add", vec![2.into(), 3.into()], LIMITS).await.unwrap();
    assert_eq!(ended(&sum), "value Signed(5)");
    assert_ne!(std::fs::read(&file).unwrap(), bytes, "it was compiled and written again");
}

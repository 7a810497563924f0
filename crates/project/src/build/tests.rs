//! Builds with one-line commands.

use super::*;
use tempfile::TempDir;

/// A project whose build is `command`.
fn project(command: &str) -> (TempDir, Manifest) {
    let directory = tempfile::tempdir().unwrap();
    let toml = format!("name = \"a\"\nartifact = \"a.wasm\"\n[build]\ncommand = '''{command}'''\n");
    std::fs::write(directory.path().join("pilum.toml"), toml).unwrap();
    let manifest = Manifest::read(directory.path()).unwrap();
    (directory, manifest)
}

#[test]
fn the_command_runs_beside_the_manifest() {
    let (_directory, manifest) = project(r"printf '\0asm\1\0\0\0' > a.wasm");
    let mut steps = Vec::new();
    let built = manifest.build(|step| steps.push(format!("{step:?}"))).unwrap();
    assert_eq!(built.bytes, b"\0asm\x01\0\0\0");
    assert!(!built.componentized);
    assert_eq!(steps.len(), 1, "{steps:?}");
}

#[test]
fn errors_name_their_cause() {
    for (command, message) in [
        ("exit 3", "the build failed (exit status: 3): exit 3"),
        ("true", "is not there; build it with `pilum build`, or correct `artifact` in the manifest"),
        ("mkdir a.wasm", "is not a file"),
        ("echo hello > a.wasm", "is not WebAssembly"),
    ] {
        let (_directory, manifest) = project(command);
        let error = manifest.build(|_| {}).unwrap_err().to_string();
        assert!(error.contains(message), "{command}: {error}");
    }
}

#[test]
fn a_missing_program_is_named_with_how_to_get_it() {
    let (_directory, mut manifest) = project("true");
    if let Some(build) = &mut manifest.build {
        build.needs.insert("no-such-program".into(), "from nowhere".into());
    }
    let error = manifest.build(|_| {}).unwrap_err();
    insta::assert_snapshot!(error, @"the build needs no-such-program, which is not installed: from nowhere");
}

#[test]
fn only_a_core_module_that_names_its_world_becomes_a_component() {
    let adapter = |wat: &str| component::adapter_for(&wat::parse_str(wat).unwrap());
    assert_eq!(adapter("(module)"), None);
    assert_eq!(adapter("(component)"), None);
    assert_eq!(adapter(r#"(module (@custom "component-type:w" "x"))"#), Some(component::Adapter::Reactor));
    let command = r#"(module (@custom "component-type" "x") (func (export "_start")))"#;
    assert_eq!(adapter(command), Some(component::Adapter::Command));
    let damaged = wat::parse_str(r#"(module (@custom "component-type:w" "x"))"#).unwrap();
    let error = component::componentize(&damaged, component::Adapter::Reactor).unwrap_err();
    assert!(error.starts_with("cannot be made a component"), "{error}");
}

//! The repository's own promises about its shape, read from its manifests,
//! documents and folders.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The crates below `crates/`, by folder name.
fn crates() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What a crate's library or binary imports directly, at build and at run time.
fn dependencies(krate: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join("crates").join(krate).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let table = |key: &str| manifest.get(key).and_then(|value| value.as_table()).cloned().unwrap_or_default();
    table("dependencies").into_iter().chain(table("build-dependencies")).map(|(name, _)| name).collect()
}

/// Which siblings each crate may import, and which libraries it may not.
const RULES: &[(&str, &[&str], &[&str])] = &[
    ("types", &[], &["tokio", "serde", "prost", "tonic", "wasmtime"]),
    ("outbound", &[], &["wasmtime", "wasmtime-wasi", "tonic", "prost"]),
    ("call", &["types"], &["wasmtime", "wasmtime-wasi", "tonic", "prost", "reqwest"]),
    ("artifact", &["outbound", "types"], &["wasmtime", "wasmtime-wasi", "tonic", "prost", "reqwest"]),
    ("engine", &["artifact", "call", "types"], &["reqwest", "hyper", "tonic", "prost", "axum"]),
    ("execution", &["call", "types"], &["wasmtime", "wasmtime-wasi", "tonic", "prost", "reqwest"]),
    ("proto", &["types"], &["wasmtime", "tokio"]),
    ("gateway", &["call", "execution", "proto", "types"], &["wasmtime", "wasmtime-wasi", "reqwest"]),
    ("client", &["proto", "types"], &["wasmtime", "wasmtime-wasi", "axum", "reqwest"]),
    ("project", &["types"], &["wasmtime", "tokio", "tonic", "reqwest"]),
    (
        "host",
        &["artifact", "call", "client", "engine", "execution", "gateway", "outbound", "project", "types"],
        &["wasmtime", "wasmtime-wasi", "tonic", "prost", "reqwest"],
    ),
];

#[test]
fn imports_point_one_way() {
    let with_rules: Vec<_> = RULES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let mut sorted = with_rules;
    sorted.sort();
    assert_eq!(crates(), sorted, "every crate has a rule");
    for (krate, siblings, forbidden) in RULES {
        for dependency in dependencies(krate) {
            if let Some(sibling) = dependency.strip_prefix("pilum-") {
                assert!(siblings.contains(&sibling), "{krate} may not import {sibling}");
            }
            assert!(!forbidden.contains(&dependency.as_str()), "{krate} may not import {dependency}");
        }
    }
}

#[test]
fn every_crate_is_in_the_architecture() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for krate in crates() {
        assert!(
            text.contains(&format!("`crates/{krate}`")),
            "ARCHITECTURE.md does not mention crates/{krate}"
        );
    }
}

#[test]
fn every_crate_has_a_front_page() {
    for krate in crates() {
        let text = fs::read_to_string(root().join("crates").join(&krate).join("src/lib.rs")).unwrap();
        assert!(text.starts_with("//! "), "{krate}: lib.rs says what it is for");
        assert!(text.contains("**Invariant:**"), "{krate}: lib.rs names its invariant");
        assert!(text.lines().count() <= 120, "{krate}: lib.rs is a front page");
    }
}

/// The page on types has a row for each that there is.
#[test]
fn every_type_is_in_the_table() {
    use pilum_types::ValueType::{self, *};
    let text = fs::read_to_string(root().join("docs/types.md")).unwrap();
    let scalars = [Bool, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, Char, String];
    let word = |ty: &ValueType| match ty {
        // As WIT writes it, up to what it is made of.
        Bool | S8 | U8 | S16 | U16 | S32 | U32 | S64 | U64 | F32 | F64 | Char | String => format!("`{ty}`"),
        List(_) => "`list<T>`".to_owned(),
        Option(_) => "`option<T>`".to_owned(),
        Result { .. } => "`result<T, E>`".to_owned(),
        Record(_) => "`record { … }`".to_owned(),
        Tuple(_) => "`tuple<…>`".to_owned(),
        Enum(_) => "`enum { … }`".to_owned(),
        Variant(_) => "`variant { … }`".to_owned(),
        Flags(_) => "`flags { … }`".to_owned(),
        Unsupported(what) => format!("{what}s"),
    };
    let compound = [
        List(Box::new(Bool)),
        Option(Box::new(Bool)),
        Result { ok: None, err: None },
        Record(vec![]),
        Tuple(vec![]),
        Enum(vec![]),
        Variant(vec![]),
        Flags(vec![]),
    ];
    for ty in scalars.iter().chain(&compound) {
        let word = word(ty);
        let row = text.lines().any(|line| line.starts_with("| ") && line.contains(&word));
        assert!(row, "docs/types.md has no row for {word}");
    }
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_source_file_says_what_it_is_and_stays_readable() {
    for folder in ["crates", "tests", "benches"] {
        for path in files(&root().join(folder), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//!"), "{} opens with what it is for", path.display());
            assert!(text.lines().count() <= 600, "{} is too long", path.display());
        }
    }
}

/// Each artifact that the guests' build makes is used by a test or a benchmark, by name.
#[test]
fn every_guest_is_used() {
    let out = root().join("guest-examples/out");
    let guests = fs::read_dir(&out).unwrap_or_else(|_| unreachable!("no guests; run `make guests`"));
    let uses: String = files(&root().join("tests"), "rs")
        .into_iter()
        .chain(files(&root().join("tests"), "py"))
        .chain(files(&root().join("benches"), "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut seen = 0;
    for guest in guests {
        let name = guest.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".wasm") {
            assert!(uses.contains(&name), "no test or benchmark uses {name}");
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} guests were built; run `make guests`");
}

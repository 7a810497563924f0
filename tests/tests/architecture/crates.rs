//! Which crate may import which: siblings and libraries.

use crate::tree::{assert_none, crates, read, root};
use std::collections::BTreeSet;

/// What one crate may import.
struct Rule {
    krate: &'static str,
    /// The crates of this workspace that it may import, without `pilum-`.
    siblings: &'static [&'static str],
    /// The libraries that it may not import, with all whose names begin so and a
    /// hyphen: `tonic` stands for `tonic-prost` too.
    forbidden: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule { krate: "types", siblings: &[], forbidden: &["tokio", "serde", "prost", "tonic", "wasmtime"] },
    Rule { krate: "call", siblings: &["types"], forbidden: &["wasmtime", "tonic", "prost"] },
    Rule { krate: "outbound", siblings: &[], forbidden: &["wasmtime", "tonic", "prost"] },
    Rule {
        krate: "artifact",
        siblings: &["outbound", "types"],
        forbidden: &["wasmtime", "tonic", "prost", "reqwest"],
    },
    Rule {
        krate: "engine",
        siblings: &["artifact", "call", "types"],
        forbidden: &["reqwest", "hyper", "tonic", "prost", "axum"],
    },
    Rule {
        krate: "store",
        siblings: &["call", "types"],
        forbidden: &["rusqlite", "wasmtime", "tonic", "prost"],
    },
    Rule { krate: "sqlite", siblings: &["store", "types"], forbidden: &["wasmtime", "tonic"] },
    Rule {
        krate: "execution",
        siblings: &["call", "store", "types"],
        forbidden: &["rusqlite", "wasmtime", "tonic", "prost", "reqwest"],
    },
    Rule { krate: "proto", siblings: &["types"], forbidden: &["wasmtime", "tokio"] },
    Rule {
        krate: "gateway",
        siblings: &["call", "execution", "proto", "types"],
        forbidden: &["wasmtime", "reqwest", "rusqlite"],
    },
    Rule { krate: "client", siblings: &["proto", "types"], forbidden: &["wasmtime", "axum", "reqwest"] },
    Rule { krate: "project", siblings: &["types"], forbidden: &["wasmtime", "tokio", "tonic", "reqwest"] },
    Rule {
        krate: "host",
        siblings: &[
            "artifact",
            "call",
            "client",
            "engine",
            "execution",
            "gateway",
            "outbound",
            "project",
            "sqlite",
            "store",
            "types",
        ],
        forbidden: &["wasmtime", "tonic", "prost", "reqwest"],
    },
];

impl Rule {
    /// Whether the crate may have this dependency.
    fn allows(&self, dependency: &str) -> bool {
        let stands_for = |library: &&str| {
            dependency.strip_prefix(*library).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        match dependency.strip_prefix("pilum-") {
            Some(sibling) => self.siblings.contains(&sibling),
            None => !self.forbidden.iter().any(stands_for),
        }
    }
}

#[test]
fn every_crate_has_a_rule() {
    let mut with_rules: Vec<_> = RULES.iter().map(|rule| rule.krate).collect();
    with_rules.sort_unstable();
    assert_eq!(
        crates(),
        with_rules,
        "RULES in tests/tests/architecture/crates.rs has one rule for each crate"
    );
}

#[test]
fn imports_point_one_way() {
    let existing = crates();
    let rules = RULES.iter().filter(|rule| existing.iter().any(|krate| krate == rule.krate));
    let imports = rules.flat_map(|rule| dependencies(rule.krate).into_iter().map(move |name| (rule, name)));
    let forbidden = imports.filter(|(rule, name)| !rule.allows(name));
    let findings: Vec<_> = forbidden.map(|(rule, name)| format!("{}: {name}", rule.krate)).collect();
    assert_none(&findings, "remove these imports, or change the crate's rule and ARCHITECTURE.md:");
}

/// What a crate's library or binary imports directly, at build and at run time.
fn dependencies(krate: &str) -> BTreeSet<String> {
    let manifest = read(&root().join("crates").join(krate).join("Cargo.toml"));
    let manifest: toml::Table = manifest.parse().unwrap();
    let table = |key: &str| manifest.get(key).and_then(|value| value.as_table()).cloned().unwrap_or_default();
    table("dependencies").into_iter().chain(table("build-dependencies")).map(|(name, _)| name).collect()
}

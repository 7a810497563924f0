//! The documents agree with the code and with each other.

use crate::tree::{assert_none, crates, files, files_with_extension, read, root, shown};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

#[test]
fn every_crate_is_in_the_architecture() {
    let text = read(&root().join("ARCHITECTURE.md"));
    let is_missing = |krate: &String| !text.contains(&format!("`crates/{krate}`"));
    let findings: Vec<_> = crates().into_iter().filter(is_missing).collect();
    assert_none(&findings, "add these crates to the code map in ARCHITECTURE.md:");
}

#[test]
fn every_link_leads_to_a_file() {
    let mut findings = Vec::new();
    for path in files_with_extension(&root(), "md") {
        let text = read(&path);
        let broken = links(&text).into_iter().filter(|link| !path.parent().unwrap().join(link).exists());
        findings.extend(broken.map(|link| format!("{}: {link}", shown(&path))));
    }
    assert_none(&findings, "correct these links; no file is where they lead:");
}

#[test]
fn every_document_that_code_mentions_exists() {
    let code = files(&root()).into_iter().filter(|path| is_code(path));
    let documents: Vec<_> = files_with_extension(&root(), "md").iter().map(|path| shown(path)).collect();
    let exists = |name: &str| documents.iter().any(|document| document.ends_with(name));
    let mut findings = Vec::new();
    for path in code.filter(|path| !path.ends_with("architecture/documents.rs")) {
        let text = read(&path);
        let words = text.split(|c: char| !c.is_alphanumeric() && !"._-/".contains(c));
        let names = words.map(|word| word.trim_end_matches('.').trim_start_matches("./"));
        let missing = names.filter(|name| is_document_name(name) && !exists(name.trim_start_matches("../")));
        findings.extend(missing.map(|name| format!("{}: {name}", shown(&path))));
    }
    assert_none(&findings, "these files mention documents that are not in the repository:");
}

/// The targets of a document's links within the repository, without anchors.
fn links(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let prose = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    });
    prose
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// Files that people write, and that are not documents themselves.
fn is_code(path: &Path) -> bool {
    let has = |names: &[&str], part: Option<&OsStr>| {
        part.is_some_and(|part| names.iter().any(|name| part == *name))
    };
    has(&["rs", "toml", "sh", "py", "proto", "c", "h"], path.extension())
        || has(&["Makefile", "run"], path.file_name())
}

fn is_document_name(name: &str) -> bool {
    name.strip_suffix(".md").is_some_and(|stem| !stem.is_empty() && !stem.ends_with('/'))
}

#[test]
fn links_are_found() {
    let text = "[a](a.md) and [b](b/c.md#part)\n```\n[no](code.md)\n```\n[web](https://d.md), [here](#e)\n";
    assert_eq!(links(text), ["a.md", "b/c.md"]);
    let names: Vec<PathBuf> = vec!["Makefile".into(), "a/b.rs".into(), "c.md".into(), "d.wasm".into()];
    assert_eq!(names.iter().map(|name| is_code(name)).collect::<Vec<_>>(), [true, true, false, false]);
}

//! Folders and files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that tools fill; no file in them is written by hand.
const GENERATED: [&str; 5] = ["target", ".git", "node_modules", "out", "out-bench"];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The crates below `crates/`, by folder name, sorted.
pub(crate) fn crates() -> Vec<String> {
    let mut names: Vec<_> = entries(&root().join("crates"))
        .into_iter()
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// All files below a folder, sorted, without those that tools made.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in entries(folder) {
        if !path.is_dir() {
            found.push(path);
        } else if !GENERATED.iter().any(|name| path.ends_with(name)) {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}

/// The files below a folder whose name ends with `.` and `extension`, sorted.
pub(crate) fn files_with_extension(folder: &Path, extension: &str) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == extension)).collect()
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A path as it is written in messages: from the root of the repository.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Fails with one line for each finding, below a heading that says what to do.
pub(crate) fn assert_none(findings: &[String], heading: &str) {
    assert!(findings.is_empty(), "{heading}\n  {}", findings.join("\n  "));
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

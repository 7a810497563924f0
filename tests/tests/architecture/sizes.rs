//! How large files, folders, structs and traits may be.

use crate::code::{indentation, is_identifier, item_end, without_tests};
use crate::tree::{assert_none, crates, files_with_extension, read, root, shown};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A longer file is hard to read in one go.
const FILE_LINES_MAX: usize = 600;
/// `lib.rs` is a front page: what the crate is for, its modules, its re-exports.
const LIB_LINES_MAX: usize = 120;
/// More files in one folder are a list that nobody reads.
const FOLDER_FILES_MAX: usize = 15;
/// A struct of more fields usually has several duties.
const FIELDS_MAX: usize = 12;
/// A trait of more methods is hard to implement and to fake.
const METHODS_MAX: usize = 10;
/// An item above its bound says why in a comment that begins so.
const REASON_START: &str = "More than";
/// A reason of fewer words after [`REASON_START`] gives no reason.
const REASON_WORDS_MIN: usize = 6;

#[test]
fn every_crate_has_a_front_page() {
    for krate in crates() {
        let text = read(&root().join("crates").join(&krate).join("src/lib.rs"));
        assert!(
            text.starts_with("//! "),
            "{krate}: open lib.rs with a comment that says what the crate does"
        );
        assert!(text.contains("**Invariant:**"), "{krate}: name the crate's invariant in lib.rs");
        let lines = text.lines().count();
        assert!(lines <= LIB_LINES_MAX, "{krate}: lib.rs has {lines} lines; move its code to a module");
    }
}

#[test]
fn every_source_file_opens_with_its_purpose() {
    let has_none = |path: &PathBuf| !read(path).starts_with("//!");
    let findings: Vec<_> = sources().into_iter().filter(has_none).map(|path| shown(&path)).collect();
    assert_none(&findings, "open these files with a `//!` comment that says what they are for:");
}

#[test]
fn no_source_file_is_too_long() {
    let lines = sources().into_iter().map(|path| (read(&path).lines().count(), path));
    let long = lines.filter(|(count, _)| *count > FILE_LINES_MAX);
    let findings: Vec<_> = long.map(|(count, path)| format!("{}: {count} lines", shown(&path))).collect();
    assert_none(&findings, &format!("split these files into parts of at most {FILE_LINES_MAX} lines:"));
}

#[test]
fn no_folder_has_too_many_source_files() {
    let mut counts = BTreeMap::<PathBuf, usize>::new();
    for path in sources() {
        *counts.entry(path.parent().unwrap().to_owned()).or_default() += 1;
    }
    let full = counts.iter().filter(|(_, count)| **count > FOLDER_FILES_MAX);
    let findings: Vec<_> = full.map(|(folder, count)| format!("{}: {count} files", shown(folder))).collect();
    assert_none(
        &findings,
        &format!("group these folders' files; a folder holds at most {FOLDER_FILES_MAX}:"),
    );
}

#[test]
fn no_struct_has_too_many_fields() {
    let findings = oversized("struct", FIELDS_MAX, is_field);
    assert_none(
        &findings,
        &format!(
            "split these structs, or write `// {REASON_START} {FIELDS_MAX} fields because …` above them:"
        ),
    );
}

#[test]
fn no_trait_has_too_many_methods() {
    let findings = oversized("trait", METHODS_MAX, is_method);
    assert_none(
        &findings,
        &format!(
            "split these traits, or write `// {REASON_START} {METHODS_MAX} methods because …` above them:"
        ),
    );
}

/// All Rust files of the workspace's crates.
fn sources() -> Vec<PathBuf> {
    let folders = ["crates", "tests", "benches"].map(|folder| root().join(folder));
    folders.iter().flat_map(|folder| files_with_extension(folder, "rs")).collect()
}

/// The items in `crates/` that have more than `max` members and give no reason.
fn oversized(keyword: &str, max: usize, is_member: fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for path in files_with_extension(&root().join("crates"), "rs") {
        if !is_test_file(&shown(&path)) {
            findings.extend(
                oversized_in(&read(&path), keyword, max, is_member)
                    .into_iter()
                    .map(|(line, name, count)| format!("{}:{line}: {name} has {count}", shown(&path))),
            );
        }
    }
    findings
}

/// Line number, name and number of members of the items that are too large.
fn oversized_in(
    text: &str,
    keyword: &str,
    max: usize,
    is_member: fn(&str) -> bool,
) -> Vec<(usize, String, usize)> {
    let code = without_tests(text);
    let (lines, commented): (Vec<_>, Vec<_>) = (code.lines().collect(), text.lines().collect());
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = item_name(line, keyword) else { continue };
        let indent = indentation(line) + 4;
        let body = &lines[at + 1..item_end(&lines, at)];
        let count = body.iter().filter(|line| indentation(line) == indent && is_member(line.trim())).count();
        if count > max && !has_reason(&commented[..at]) {
            found.push((at + 1, name, count));
        }
    }
    found
}

/// Whether a file holds only test code, by its path from the root of the repository.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| ["tests", "tests.rs", "fake", "fake.rs"].contains(&part))
}

/// The name of the item of this kind that begins on the line.
fn item_name(line: &str, keyword: &str) -> Option<String> {
    let mut words = without_visibility(line.trim()).split(' ');
    (words.next()? == keyword).then_some(())?;
    Some(words.next()?.chars().take_while(|c| is_identifier(*c)).collect())
}

fn is_field(line: &str) -> bool {
    let name = without_visibility(line).split_once(':').map(|(name, _)| name);
    name.is_some_and(|name| !name.is_empty() && name.chars().all(is_identifier))
}

fn is_method(line: &str) -> bool {
    let qualifiers = ["async", "const", "unsafe"];
    line.split(' ').find(|word| !qualifiers.contains(word)) == Some("fn")
}

fn without_visibility(item: &str) -> &str {
    match item.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ").map_or(item, |(_, rest)| rest),
        None => item.strip_prefix("pub ").unwrap_or(item),
    }
}

/// Whether the comment at the end of these lines, below which an item begins, says
/// why the item is so large.
fn has_reason(above: &[&str]) -> bool {
    let block = above.iter().rev().take_while(|line| !line.trim().is_empty() && **line != "}");
    let comments = block.filter_map(|line| line.trim().strip_prefix("//"));
    let mut comments: Vec<_> = comments.map(|line| line.trim_start_matches('/').trim()).collect();
    comments.reverse();
    let text = comments.join(" ");
    let reason = text.split_once(REASON_START).map(|(_, reason)| reason.split_whitespace().count());
    reason.is_some_and(|words| words >= REASON_WORDS_MIN)
}

#[test]
fn large_items_need_a_reason() {
    let three =
        "struct Small {\n    a: u8,\n    /// b: text\n    pub b: u8,\n    pub(crate) c: Vec<u8>,\n}\n";
    assert_eq!(oversized_in(three, "struct", 3, is_field), []);
    assert_eq!(oversized_in(three, "struct", 2, is_field), [(1, "Small".to_owned(), 3)]);
    let above =
        "/// Counts.\n// More than 2 fields because the\n// caller has three counts.\n#[derive(Debug)]\n";
    assert_eq!(oversized_in(&format!("{above}{three}"), "struct", 2, is_field), []);
    let weak = "// More than two.\n";
    assert_eq!(oversized_in(&format!("{weak}{three}"), "struct", 2, is_field).len(), 1);
    let port = "pub trait Port: Send\nwhere\n    Self: Sized,\n{\n    type T;\n    fn a(&self) {\n        fn b() {}\n    }\n    async fn c(&self);\n}\n";
    assert_eq!(oversized_in(port, "trait", 1, is_method), [(1, "Port".to_owned(), 2)]);
    assert_eq!(oversized_in(port, "trait", 2, is_method), []);
}

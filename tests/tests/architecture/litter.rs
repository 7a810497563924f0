//! No file lies in the repository that a tool left behind.

use crate::tree::{assert_none, crates, files, root, shown};

/// What `insta`, `patch` and merges leave behind.
const LITTER: [&str; 3] = [".snap.new", ".orig", ".rej"];

#[test]
fn no_tool_left_files_behind() {
    let is_litter = |path: &String| LITTER.iter().any(|ending| path.ends_with(ending));
    let mut findings: Vec<_> = files(&root()).iter().map(|path| shown(path)).filter(is_litter).collect();
    // A test that writes relative to the root, but runs in its crate's folder, makes these.
    let nested = crates().into_iter().map(|krate| root().join("crates").join(krate).join("crates"));
    findings.extend(nested.filter(|path| path.exists()).map(|path| shown(&path)));
    assert_none(&findings, "accept or delete these files, which a tool left behind:");
}

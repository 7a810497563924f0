//! No files of a crate import each other in a circle.

use crate::imports::{Imports, Modules};
use crate::tree::{assert_none, crates, root};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    let crates = crates().into_iter().map(|krate| format!("crates/{krate}"));
    let mut findings = Vec::new();
    for krate in crates.chain(["tests".to_owned(), "benches".to_owned()]) {
        let imports = Modules::of_crate(&root().join(&krate).join("src")).imports();
        findings.extend(cycles(&imports).into_iter().map(|cycle| format!("{krate}: {cycle}")));
    }
    assert_none(
        &findings,
        "break these circles: move what both sides need into a file that imports neither, \
         or hand it over as an argument",
    );
}

/// One line for each circle: the shortest through each file that is in one.
fn cycles(imports: &Imports) -> BTreeSet<String> {
    let circles = imports.keys().filter_map(|file| circle_through(imports, file));
    circles.map(|circle| shown(imports, &circle)).collect()
}

/// For each file that can be reached from `start`, the file before it on a shortest
/// way. `start` itself is in it only if a circle leads back to it.
fn shortest_ways<'a>(imports: &'a Imports, start: &'a str) -> BTreeMap<&'a str, &'a str> {
    let mut before = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for target in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            if !before.contains_key(target.as_str()) {
                before.insert(target.as_str(), file);
                next.push_back(target);
            }
        }
    }
    before
}

/// The files of a shortest circle through `start`, from the first by name back to it;
/// `None` if no circle leads through `start`.
fn circle_through<'a>(imports: &'a Imports, start: &'a str) -> Option<Vec<&'a str>> {
    let before = shortest_ways(imports, start);
    let mut files = vec![start];
    let mut file = *before.get(start)?;
    while file != start {
        files.push(file);
        file = before[file];
    }
    files.reverse();
    let first = files.iter().enumerate().min_by_key(|(_, file)| **file).map_or(0, |(at, _)| at);
    files.rotate_left(first);
    files.push(files[0]);
    Some(files)
}

/// A circle, with the path that imports each file.
fn shown(imports: &Imports, circle: &[&str]) -> String {
    let steps = circle.windows(2).map(|pair| format!(" → {} by `{}`", pair[1], imports[pair[0]][pair[1]]));
    circle[0].to_owned() + &steps.collect::<String>()
}

#[test]
fn the_shortest_circle_through_each_file_is_shown() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        ("a.rs", "use crate::b::B;\npub struct A;\n"),
        ("b.rs", "use crate::c::C;\npub struct B;\n"),
        ("c.rs", "use crate::a::A;\nuse super::b::B;\npub struct C;\n"),
        ("d.rs", "use crate::a::A;\n"),
    ];
    let imports = Modules::of_files(files.map(|(file, text)| (file.to_owned(), text.to_owned()))).imports();
    let expected = [
        "a.rs → b.rs by `crate::b::B` → c.rs by `crate::c::C` → a.rs by `crate::a::A`".to_owned(),
        "b.rs → c.rs by `crate::c::C` → b.rs by `super::b::B`".to_owned(),
    ];
    assert_eq!(cycles(&imports), BTreeSet::from(expected));
}

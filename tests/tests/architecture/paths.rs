//! The paths in Rust source text: those of `use` items and those inside code.

use crate::code::is_identifier;

/// One name that a `use` item brings in.
#[derive(Debug)]
pub(crate) struct Use {
    /// The name inside this file; `*` for all names of the target.
    pub(crate) name: String,
    pub(crate) target: Vec<String>,
    pub(crate) is_reexport: bool,
}

/// The names that `use` items bring in, and the code without these items.
pub(crate) fn split_uses(code: &str) -> (Vec<Use>, String) {
    let (mut uses, mut rest, mut item) = (Vec::new(), String::new(), String::new());
    for line in code.lines() {
        if item.is_empty() && !is_use(line) {
            rest.push_str(line);
            rest.push('\n');
            continue;
        }
        item.push_str(line.trim());
        item.push(' ');
        if line.ends_with(';') {
            let (visibility, tree) = item.split_once("use ").unwrap();
            expand(&[], tree.trim().trim_end_matches(';'), !visibility.is_empty(), &mut uses);
            item.clear();
        }
    }
    (uses, rest)
}

/// All paths of two or more names in code.
pub(crate) fn paths_in(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    let mut rest = code;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        if !is_identifier(first) {
            rest = &rest[first.len_utf8()..];
            before = first;
            continue;
        }
        let is_part = |c: char| is_identifier(c) || c == ':';
        let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let (path, after) = rest.split_at(length);
        let names: Vec<_> = path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let is_path = names.len() > 1 && names.iter().all(|name| name.chars().all(is_identifier));
        if is_path && !matches!(before, '.' | ':' | '\'') && !is_visibility(code, rest) {
            paths.push(names);
        }
        rest = after;
        before = path.chars().last().unwrap_or(' ');
    }
    paths
}

/// Whether a `use` item begins on the line.
fn is_use(line: &str) -> bool {
    let line = line.trim_start();
    let after_visibility = match line.strip_prefix("pub(") {
        Some(rest) => rest.split_once(") ").map_or(line, |(_, rest)| rest),
        None => line.strip_prefix("pub ").unwrap_or(line),
    };
    after_visibility.starts_with("use ")
}

/// Adds the names that the tree of a `use` item brings in.
fn expand(prefix: &[String], tree: &str, is_reexport: bool, uses: &mut Vec<Use>) {
    let segments = |path: &str| {
        let names = path.split("::").map(|name| name.trim().to_owned());
        prefix.iter().cloned().chain(names.filter(|name| !name.is_empty())).collect::<Vec<_>>()
    };
    let tree = tree.trim();
    if let Some((head, group)) = tree.split_once('{') {
        let head = segments(head);
        for part in split_group(group.trim_end().trim_end_matches('}')) {
            expand(&head, part, is_reexport, uses);
        }
        return;
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
    let mut target = segments(path);
    let last = target.last().cloned().unwrap_or_default();
    if last == "self" || last == "*" {
        target.pop();
    }
    let own = if last == "self" { target.last().cloned().unwrap_or_default() } else { last };
    let name = alias.map_or(own, |alias| alias.trim().to_owned());
    uses.push(Use { name, target, is_reexport });
}

/// The parts of a group, which commas outside its inner groups divide.
fn split_group(group: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = group.split(|c: char| {
        depth = match c {
            '{' => depth + 1,
            '}' => depth.saturating_sub(1),
            _ => depth,
        };
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// Whether `rest` is the path of a `pub(in path)`.
fn is_visibility(code: &str, rest: &str) -> bool {
    code[..code.len() - rest.len()].ends_with("pub(in ")
}

#[test]
fn use_items_and_paths_are_found() {
    let code = "\
use crate::{a::{B, C as D}, e, f::*, g::{self}};
pub(crate) use super::
    h::I;
pub(in crate::x) fn f(p: crate::j::K) -> Vec<l::M> {
    n.o::<P>();
}
";
    let (uses, rest) = split_uses(code);
    let uses: Vec<_> =
        uses.iter().map(|used| format!("{} = {}", used.name, used.target.join("::"))).collect();
    let expected = ["B = crate::a::B", "D = crate::a::C", "e = crate::e", "* = crate::f", "g = crate::g"];
    assert_eq!(uses[..5], expected);
    assert_eq!(uses[5], "I = super::h::I");
    let paths: Vec<_> = paths_in(&rest).iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["crate::j::K", "l::M"]);
}

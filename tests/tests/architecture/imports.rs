//! Which file of a crate imports which other file of the same crate.
//!
//! The paths of `use` items and the paths inside code are both read. A path through
//! a re-export leads to the file that holds the item, so a module file that only
//! declares and re-exports its children is no importer and no target. Test modules
//! are left out.

use crate::code::{is_identifier, module_names, test_modules, without_tests};
use crate::paths::{Use, paths_in, split_uses};
use crate::tree::{files_with_extension, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module's place below its crate's root, which is the empty path.
type ModulePath = Vec<String>;

/// For each file, the files that it imports, each with one path that does so.
pub(crate) type Imports = BTreeMap<String, BTreeMap<String, String>>;

/// More re-exports of re-exports than any item has; a path that needs more is wrong.
const REEXPORTS_MAX: usize = 16;
/// What can stand before an item's name.
const ITEM_WORDS: [&str; 9] =
    ["struct", "enum", "trait", "fn", "type", "const", "static", "union", "macro_rules"];

/// The modules of one crate.
#[derive(Debug, Default)]
pub(crate) struct Modules(BTreeMap<ModulePath, Module>);

/// What one file says.
#[derive(Debug)]
struct Module {
    /// The file, from the crate's `src` folder.
    file: String,
    uses: Vec<Use>,
    /// The names of the items that the file defines.
    items: BTreeSet<String>,
    /// The words of its code outside `use` items.
    words: BTreeSet<String>,
    /// The paths in its code outside `use` items.
    paths: BTreeSet<Vec<String>>,
}

impl Modules {
    /// Reads the crate whose root file lies in `src`.
    pub(crate) fn of_crate(src: &Path) -> Self {
        let in_crate = |path: &Path| path.strip_prefix(src).unwrap().to_str().unwrap().to_owned();
        let files = files_with_extension(src, "rs");
        Self::of_files(files.iter().map(|path| (in_crate(path), read(path))))
    }

    /// Reads a crate from its files' paths below `src` and their texts.
    pub(crate) fn of_files(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let files: BTreeMap<_, _> = files.into_iter().collect();
        let root = if files.contains_key("lib.rs") { "lib.rs" } else { "main.rs" };
        let modules: BTreeMap<_, _> = files
            .iter()
            .filter(|(file, _)| (*file != "main.rs" || root == "main.rs") && !file.starts_with("bin/"))
            .map(|(file, text)| (module_path(file, root), (file, text)))
            .collect();
        let test_roots: Vec<_> = modules
            .iter()
            .flat_map(|(path, (_, text))| test_modules(text).into_iter().map(|name| child(path, &name)))
            .collect();
        let is_test = |path: &ModulePath| test_roots.iter().any(|root| path.starts_with(root));
        let modules = modules.into_iter().filter(|(path, _)| !is_test(path));
        Self(modules.map(|(path, (file, text))| (path, Module::new(file, text))).collect())
    }

    /// Which file imports which.
    pub(crate) fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (path, module) in &self.0 {
            let used = module.uses.iter().filter(|used| self.is_import(path, module, used));
            let written = used.map(|used| &used.target).chain(&module.paths);
            for target in written {
                let Some(found) = self.resolve(path, target, 0) else { continue };
                if found != *path {
                    let file = imports.entry(module.file.clone()).or_default();
                    file.entry(self.0[&found].file.clone()).or_insert_with(|| target.join("::"));
                }
            }
        }
        imports
    }

    /// Whether a `use` item makes this file depend on its target. The re-export of a
    /// module's own child does so only if the module's code uses the name itself.
    fn is_import(&self, path: &ModulePath, module: &Module, used: &Use) -> bool {
        let is_own_child =
            || self.resolve(path, &used.target, 0).is_some_and(|found| found.starts_with(path));
        !used.is_reexport || module.words.contains(&used.name) || !is_own_child()
    }

    /// The module that holds what the path, written in module `from`, leads to;
    /// `None` if it leads out of the crate.
    fn resolve(&self, from: &ModulePath, written: &[String], reexports: usize) -> Option<ModulePath> {
        let module = self.0.get(from)?;
        let (first, rest) = written.split_first()?;
        let mut start = match first.as_str() {
            "crate" => ModulePath::new(),
            "self" => from.clone(),
            "super" => from.split_last()?.1.to_vec(),
            name if self.0.contains_key(&child(from, name)) => child(from, name),
            name => {
                let used = module.uses.iter().find(|used| used.name == name && used.target != written)?;
                let target: Vec<_> = used.target.iter().chain(rest).cloned().collect();
                (reexports < REEXPORTS_MAX).then_some(())?;
                return self.resolve(from, &target, reexports + 1);
            }
        };
        let mut rest = rest;
        while let Some(("super", below)) = rest.split_first().map(|(first, below)| (first.as_str(), below)) {
            start.pop()?;
            rest = below;
        }
        self.walk(start, rest, reexports)
    }

    /// Follows the names of a path down from a module.
    fn walk(&self, mut at: ModulePath, names: &[String], reexports: usize) -> Option<ModulePath> {
        for (index, name) in names.iter().enumerate() {
            let below = child(&at, name);
            let module = self.0.get(&at)?;
            if self.0.contains_key(&below) {
                at = below;
            } else if module.items.contains(name) || reexports >= REEXPORTS_MAX {
                return Some(at);
            } else if let Some(used) = module.uses.iter().find(|used| used.name == *name) {
                let target: Vec<_> = used.target.iter().chain(&names[index + 1..]).cloned().collect();
                return self.resolve(&at, &target, reexports + 1);
            } else {
                return Some(self.through_glob(&at, name, reexports).unwrap_or(at));
            }
        }
        Some(at)
    }

    /// The module that defines a name which this module brings in with `::*`.
    fn through_glob(&self, at: &ModulePath, name: &String, reexports: usize) -> Option<ModulePath> {
        let globs = self.0[at].uses.iter().filter(|used| used.name == "*");
        let mut targets = globs.filter_map(|used| self.resolve(at, &used.target, reexports + 1));
        targets.find(|target| self.0[target].items.contains(name))
    }
}

impl Module {
    fn new(file: &str, text: &str) -> Self {
        let (uses, code) = split_uses(&without_tests(text));
        let words: Vec<_> = code.split(|c: char| !is_identifier(c)).filter(|w| !w.is_empty()).collect();
        let items = words.windows(2).filter(|pair| ITEM_WORDS.contains(&pair[0]));
        let items = items.map(|pair| pair[1].to_owned()).collect();
        let children = module_names(&code);
        let is_local = |path: &Vec<String>| {
            let is_used = uses.iter().any(|used| used.name == path[0]);
            ["crate", "self", "super"].contains(&path[0].as_str()) || children.contains(&path[0]) || is_used
        };
        let paths = paths_in(&code).into_iter().filter(is_local).collect();
        let words = words.into_iter().map(str::to_owned).collect();
        Self { file: file.to_owned(), uses, items, words, paths }
    }
}

fn child(path: &ModulePath, name: &str) -> ModulePath {
    path.iter().cloned().chain([name.to_owned()]).collect()
}

/// `a/b.rs` and `a/b/mod.rs` are both `a::b`.
fn module_path(file: &str, root: &str) -> ModulePath {
    if file == root {
        return ModulePath::new();
    }
    let names = file.trim_end_matches(".rs").trim_end_matches("/mod");
    names.split('/').map(str::to_owned).collect()
}

#[test]
fn paths_lead_to_the_files_that_hold_their_items() {
    let files = [
        (
            "lib.rs",
            "mod a;\nmod b;\nmod c;\n#[cfg(test)]\nmod fake;\npub use b::{Deep, two::Two as Second};\n",
        ),
        (
            "a.rs",
            "use crate::{Deep, Second};\nuse std::fmt;\n#[cfg(test)]\nmod tests {\n    use crate::c;\n}\n",
        ),
        ("b.rs", "mod deep;\nmod two;\npub use deep::*;\n"),
        ("b/deep.rs", "pub struct Deep;\nimpl Deep {\n    fn f() { super::super::c::f(); }\n}\n"),
        ("b/two.rs", "use super::{self as parent, Deep};\npub struct Two(parent::Deep);\n"),
        ("c.rs", "use crate::b;\npub fn f(x: b::two::Two) {}\n"),
        ("fake.rs", "use crate::a;\n"),
    ];
    let imports = Modules::of_files(files.map(|(file, text)| (file.to_owned(), text.to_owned()))).imports();
    let lines = imports.iter().map(|(file, targets)| {
        format!("{file}: {}", targets.keys().map(String::as_str).collect::<Vec<_>>().join(" "))
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "a.rs: b/deep.rs b/two.rs",
            "b/deep.rs: c.rs",
            "b/two.rs: b.rs b/deep.rs",
            // Through its import of the module `b`.
            "c.rs: b.rs b/two.rs",
        ]
    );
}

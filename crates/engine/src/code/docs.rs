//! What the author of a component wrote above its functions, in WIT's `///`.
//!
//! WIT's comments travel in a custom section, `package-docs`: a version byte and
//! JSON, as `wit-parser` writes it. Binary WIT packages have it. The usual
//! makers of components leave it out, so most components have no docs; a
//! tool may add the section to a component, whose own functions it then describes
//! under the world `root`, as `wit-parser` reads it back.
//!
//! Docs are a courtesy: whatever is wrong with a section, there are none.

use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use wasmparser::{Chunk, ComponentExternalKind, Encoding, Parser, Payload};

const SECTION: &str = "package-docs";
/// Versions of the section whose JSON is understood.
const VERSIONS: [u8; 2] = [0, 1];
/// Longest section that is looked into, in bytes: the docs of all of WASI take
/// a fifth of it.
const SECTION_MAX_BYTES: usize = 1 << 20;
/// Longest doc of a function that is kept, in bytes; what is beyond is cut.
const DOC_MAX_BYTES: usize = 4 << 10;
/// Docs that are kept of one artifact, in bytes. Exported interfaces share their
/// docs, so there can be more than in the section.
const DOCS_MAX_BYTES: usize = 256 << 10;
/// Interfaces that are looked at: each is compared with each that is exported.
const INTERFACES_MAX: usize = 1_000;
/// The world whose functions are those of the component itself.
const ROOT: &str = "root";

/// The docs of a component's functions by their full names: `name` or
/// `ns:pkg/interface@version#name`. A name need not be a function's.
pub(crate) fn of(bytes: &[u8]) -> HashMap<String, String> {
    let mut docs = Docs::default();
    if let Some(Found { section: Some(section), interfaces }) = find(bytes)
        && let Some((version, package)) = package(section)
    {
        docs.add_world(&package, version);
        docs.add_interfaces(&package, &interfaces);
    }
    docs.by_name
}

struct Found<'a> {
    section: Option<&'a [u8]>,
    /// Full names of the interfaces that the component exports.
    interfaces: Vec<&'a str>,
}

/// Looks through the component's own sections, and not into what it is made of.
fn find(bytes: &[u8]) -> Option<Found<'_>> {
    let mut found = Found { section: None, interfaces: Vec::new() };
    let mut parser = Parser::new(0);
    let mut rest = bytes;
    loop {
        let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(rest, true) else { return None };
        rest = rest.get(consumed..)?;
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } => return None,
            Payload::ModuleSection { unchecked_range: inner, .. }
            | Payload::ComponentSection { unchecked_range: inner, .. } => rest = rest.get(inner.len()..)?,
            Payload::CustomSection(custom) if custom.name() == SECTION => found.section = Some(custom.data()),
            Payload::ComponentExportSection(exports) => {
                let exports = exports.into_iter().filter_map(Result::ok);
                let instances = exports.filter(|export| export.kind == ComponentExternalKind::Instance);
                found.interfaces.extend(instances.map(|export| export.name.name));
            }
            Payload::End(_) => return Some(found),
            _ => {}
        }
    }
}

/// The section's version and its JSON.
fn package(section: &[u8]) -> Option<(u8, Map<String, Json>)> {
    let (version, json) = section.split_first()?;
    if section.len() > SECTION_MAX_BYTES || !VERSIONS.contains(version) {
        return None;
    }
    match serde_json::from_slice(json) {
        Ok(Json::Object(package)) => Some((*version, package)),
        Ok(_) | Err(_) => None,
    }
}

#[derive(Default)]
struct Docs {
    by_name: HashMap<String, String>,
    bytes: usize,
}

impl Docs {
    /// Functions of the world itself and of interfaces that are written in it.
    fn add_world(&mut self, package: &Map<String, Json>, version: u8) {
        let worlds = entries(package.get("worlds"));
        let world = match worlds.as_slice() {
            [(_, only)] => Some(*only),
            several => several.iter().find(|(name, _)| *name == ROOT).map(|(_, world)| *world),
        };
        let Some(world) = world else { return };
        // The first version does not tell exports from imports.
        let (functions, interfaces) =
            if version == 0 { ("funcs", "interfaces") } else { ("func_exports", "interface_exports") };
        self.add_functions(None, world.get(functions));
        for (name, interface) in entries(world.get(interfaces)) {
            self.add_functions(Some(name), interface.get("funcs"));
        }
    }

    /// Functions of the package's interfaces, which are named without the package.
    fn add_interfaces(&mut self, package: &Map<String, Json>, exported: &[&str]) {
        for (name, interface) in entries(package.get("interfaces")).into_iter().take(INTERFACES_MAX) {
            let mut fitting = exported.iter().filter(|full| last_part(full) == name);
            // Of two with that name, nobody says whose the docs are.
            if let (Some(full), None) = (fitting.next(), fitting.next()) {
                self.add_functions(Some(full), interface.get("funcs"));
            }
        }
    }

    fn add_functions(&mut self, interface: Option<&str>, functions: Option<&Json>) {
        for (name, metadata) in entries(functions) {
            // The first version has the text alone, the second one in an object.
            let Some(doc) = metadata.as_str().or_else(|| metadata.get("docs")?.as_str()) else { continue };
            let doc = doc.trim();
            let doc = doc.get(..doc.floor_char_boundary(DOC_MAX_BYTES)).unwrap_or_default();
            let full = interface.map_or_else(|| name.to_owned(), |interface| format!("{interface}#{name}"));
            let bytes = self.bytes + full.len() + doc.len();
            if !doc.is_empty() && bytes <= DOCS_MAX_BYTES && !self.by_name.contains_key(&full) {
                self.bytes = bytes;
                self.by_name.insert(full, doc.to_owned());
            }
        }
    }
}

fn entries(object: Option<&Json>) -> Vec<(&str, &Json)> {
    let object = object.and_then(Json::as_object);
    object.into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect()
}

/// `interface` of `ns:pkg/interface@version`.
fn last_part(full: &str) -> &str {
    let unversioned = full.split('@').next().unwrap_or(full);
    unversioned.rsplit('/').next().unwrap_or(unversioned)
}

#[cfg(test)]
mod tests;

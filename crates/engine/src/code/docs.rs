//! The comments (`///`) that the author of a component wrote above its functions in
//! WIT.
//!
//! WIT's comments are in a custom section, `package-docs`: a version byte and JSON, as
//! `wit-parser` writes it. Binary WIT packages have this section. Most tools that make
//! components leave it out, so most components have no docs. A tool may add the
//! section to a component; the component's own functions are then described under the
//! world `root`, as `wit-parser` reads it.
//!
//! Docs are optional: if anything is wrong with a section, the artifact has no docs.

use serde_json::{Map, Value as Json};
use std::collections::HashMap;
use wasmparser::{Chunk, ComponentExternalKind, Encoding, Parser, Payload};

/// The name of the custom section.
const SECTION: &str = "package-docs";
/// Versions of the section that this module can read.
const VERSIONS: [u8; 2] = [0, 1];
/// Longest section that is read, in bytes. The docs of all of WASI take a fifth of it.
const SECTION_MAX_BYTES: usize = 1 << 20;
/// Longest doc of a function, in bytes. A longer one is cut.
const DOC_MAX_BYTES: usize = 4 << 10;
/// Docs of one artifact, in bytes. Exported interfaces may share docs, so the docs can
/// be longer than the section.
const DOCS_MAX_BYTES: usize = 256 << 10;
/// Interfaces of a section that are read. Each is compared with each exported one.
const INTERFACES_MAX: usize = 1_000;
/// The world that describes the component's own functions.
const ROOT: &str = "root";

/// The sections of a component that matter here.
struct Sections<'a> {
    /// The section with the docs.
    docs: Option<&'a [u8]>,
    /// Full names of the interfaces that the component exports.
    interfaces: Vec<&'a str>,
}

/// The docs that were read so far.
#[derive(Default)]
struct Docs {
    by_name: HashMap<String, String>,
    /// Bytes of all names and docs.
    bytes: usize,
}

/// The docs of a component's functions by their full names: `name` or
/// `ns:pkg/interface@version#name`. Some names may belong to no function.
pub(crate) fn of(bytes: &[u8]) -> HashMap<String, String> {
    let mut docs = Docs::default();
    if let Some(Sections { docs: Some(section), interfaces }) = find_sections(bytes)
        && let Some((version, package)) = package(section)
    {
        docs.add_world(&package, version);
        docs.add_interfaces(&package, &interfaces);
    }
    docs.by_name
}

/// Reads the component's own sections, and skips the modules and components inside it.
fn find_sections(bytes: &[u8]) -> Option<Sections<'_>> {
    let mut found = Sections { docs: None, interfaces: Vec::new() };
    let mut parser = Parser::new(0);
    let mut rest = bytes;
    loop {
        let Ok(Chunk::Parsed { consumed, payload }) = parser.parse(rest, true) else { return None };
        rest = rest.get(consumed..)?;
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } => return None,
            Payload::ModuleSection { unchecked_range: inner, .. }
            | Payload::ComponentSection { unchecked_range: inner, .. } => rest = rest.get(inner.len()..)?,
            Payload::CustomSection(custom) if custom.name() == SECTION => found.docs = Some(custom.data()),
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

impl Docs {
    /// Adds the functions of the world itself and of interfaces written inside it.
    fn add_world(&mut self, package: &Map<String, Json>, version: u8) {
        let worlds = entries(package.get("worlds"));
        let world = match worlds.as_slice() {
            [(_, only)] => Some(*only),
            several => several.iter().find(|(name, _)| *name == ROOT).map(|(_, world)| *world),
        };
        let Some(world) = world else { return };
        // Version 0 does not distinguish exports from imports.
        let (functions, interfaces) =
            if version == 0 { ("funcs", "interfaces") } else { ("func_exports", "interface_exports") };
        self.add_functions(None, world.get(functions));
        for (name, interface) in entries(world.get(interfaces)) {
            self.add_functions(Some(name), interface.get("funcs"));
        }
    }

    /// Adds the functions of the package's interfaces. The section names an interface
    /// without its package.
    fn add_interfaces(&mut self, package: &Map<String, Json>, exported: &[&str]) {
        for (name, interface) in entries(package.get("interfaces")).into_iter().take(INTERFACES_MAX) {
            let mut with_this_name = exported.iter().filter(|full| last_part(full) == name);
            // If two exported interfaces have the name, the docs may belong to either.
            if let (Some(full), None) = (with_this_name.next(), with_this_name.next()) {
                self.add_functions(Some(full), interface.get("funcs"));
            }
        }
    }

    fn add_functions(&mut self, interface: Option<&str>, functions: Option<&Json>) {
        for (name, metadata) in entries(functions) {
            // Version 0 has the text alone, version 1 has it in an object.
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

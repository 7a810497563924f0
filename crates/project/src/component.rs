//! Makes components of core modules that were built with generated bindings.
//!
//! Such a module names its WIT world in custom sections. It calls preview 1 of WASI; an
//! adapter translates these calls to preview 2.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

/// The beginning of the names of custom sections that describe a world.
const WORLD_SECTION: &str = "component-type";

/// The adapter that a core module needs to become a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// The module has a `_start` function.
    Command,
    /// The module only has functions that are called from outside.
    Reactor,
}

/// The adapter for a core module that names its world. `None` for any other artifact,
/// which is deployed as it is.
pub(crate) fn adapter_for(bytes: &[u8]) -> Option<Adapter> {
    let mut names_a_world = false;
    let mut adapter = Adapter::Reactor;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::Version { encoding: Encoding::Component, .. } => return None,
            Payload::CustomSection(section) => {
                names_a_world |= section.name().starts_with(WORLD_SECTION);
            }
            Payload::ExportSection(exports)
                if exports.clone().into_iter().flatten().any(|export| export.name == "_start") =>
            {
                adapter = Adapter::Command;
            }
            _ => {}
        }
    }
    names_a_world.then_some(adapter)
}

/// Makes a component of a core module.
pub(crate) fn componentize(module: &[u8], adapter: Adapter) -> Result<Vec<u8>, String> {
    let adapter = match adapter {
        Adapter::Command => WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        Adapter::Reactor => WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
    };
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|encoder| encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter))
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| format!("cannot be made a component: {error:#}"))
}

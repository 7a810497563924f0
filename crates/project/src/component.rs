//! Core modules that bindings were generated for, into components.
//!
//! Such a module says in custom sections which world it is for, and calls WASI the
//! old way; an adapter stands between.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

/// What custom sections that describe a world are called, or begin with.
const WORLD_SECTION: &str = "component-type";

/// The adapter a core module needs to become a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adapter {
    /// It has a start of its own.
    Command,
    /// It is called from outside.
    Reactor,
}

/// The adapter for a core module that says which world it is for; `None` for
/// anything else, which is deployed as it is.
pub(crate) fn adapter_for(bytes: &[u8]) -> Option<Adapter> {
    let mut is_for_a_world = false;
    let mut adapter = Adapter::Reactor;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.ok()? {
            Payload::Version { encoding: Encoding::Component, .. } => return None,
            Payload::CustomSection(section) => {
                is_for_a_world |= section.name().starts_with(WORLD_SECTION);
            }
            Payload::ExportSection(exports)
                if exports.clone().into_iter().flatten().any(|export| export.name == "_start") =>
            {
                adapter = Adapter::Command;
            }
            _ => {}
        }
    }
    is_for_a_world.then_some(adapter)
}

/// The component of a core module.
pub(crate) fn make(module: &[u8], adapter: Adapter) -> Result<Vec<u8>, String> {
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

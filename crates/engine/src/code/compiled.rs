//! Native code in memory, before it is linked.

use crate::code::exports::Exports;
use crate::error::EngineError;
use wasmtime::component::Component;
use wasmtime::{Engine, Module, Precompiled};

/// Native code of an artifact.
pub(crate) enum Compiled {
    Core(Module),
    Component(Component),
}

impl Compiled {
    /// Loads native code that wasmtime's own serializer wrote. The caller has it from
    /// a compiling child or from [`NativeCache`](crate::code::native::NativeCache).
    ///
    /// # Errors
    /// Says why wasmtime cannot load the code.
    pub(crate) fn load(engine: &Engine, code: &[u8]) -> Result<Self, String> {
        match Engine::detect_precompiled(code) {
            Some(Precompiled::Module) => deserialize_module(engine, code).map(Self::Core),
            Some(Precompiled::Component) => deserialize_component(engine, code).map(Self::Component),
            None => Err("the bytes are not native code".to_owned()),
        }
    }

    /// What can be called.
    ///
    /// # Errors
    /// When the description would take too much memory.
    pub(crate) fn exports(&self, engine: &Engine) -> Result<Exports, EngineError> {
        match self {
            Self::Core(module) => Exports::of_module(module),
            Self::Component(component) => Exports::of_component(engine, component),
        }
    }

    /// What it imports, as `module::name` or `interface`.
    pub(crate) fn import_names(&self, engine: &Engine) -> Vec<String> {
        match self {
            Self::Core(module) => {
                module.imports().map(|import| format!("{}::{}", import.module(), import.name())).collect()
            }
            Self::Component(component) => {
                component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect()
            }
        }
    }

    /// Bytes of native code and data.
    pub(crate) fn image_bytes(&self) -> usize {
        let range = match self {
            Self::Core(module) => module.image_range(),
            Self::Component(component) => component.image_range(),
        };
        (range.end as usize).saturating_sub(range.start as usize)
    }
}

#[expect(unsafe_code, reason = "loading our own verified native code, the one exception")]
fn deserialize_module(engine: &Engine, code: &[u8]) -> Result<Module, String> {
    // SAFETY: `code` is what wasmtime's own serializer wrote: it comes either
    // straight from the compiling child, over a pipe that no other process holds, or
    // from a buffer whose keyed MAC `NativeCache::load` has just checked. It is in
    // our own memory, so nobody can change it between that check and this use.
    unsafe { Module::deserialize(engine, code) }.map_err(|error| format!("{error:#}"))
}

#[expect(unsafe_code, reason = "loading our own verified native code, the one exception")]
fn deserialize_component(engine: &Engine, code: &[u8]) -> Result<Component, String> {
    // SAFETY: as for modules, above.
    unsafe { Component::deserialize(engine, code) }.map_err(|error| format!("{error:#}"))
}

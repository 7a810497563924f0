//! Code that is ready: compiled, linked against what the host grants, and
//! described.

use crate::EngineError;
use crate::exports::Exports;
use crate::guest::Guest;
use pilum_types::{Digest, FunctionSignature};
use std::collections::HashSet;
use wasmtime::component::{Component, InstancePre as ComponentPre, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Linker, Module, Store};

/// Packages of WASI that a component may import. What is in them is bounded by
/// the guest's world, where there are no files, no sockets and no names.
const GRANTED_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// An artifact's code, ready to be called.
pub struct Code {
    digest: Digest,
    exports: Exports,
    imports: Vec<Import>,
    linked: Linked,
    image_bytes: usize,
}

/// Something the code wants from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// `module::name` of a core import, the interface's full name of a component's.
    pub name: String,
    /// Whether the host grants it.
    pub granted: bool,
}

pub(crate) enum Linked {
    Core(InstancePre<Guest>),
    Component(ComponentPre<Guest>),
}

/// What compiled bytes are.
pub(crate) enum Compiled {
    Core(Module),
    Component(Component),
}

/// What the host grants, made once.
pub(crate) struct Linkers {
    core: Linker<Guest>,
    /// `module::name` of everything in `core`.
    core_names: HashSet<String>,
    component: ComponentLinker<Guest>,
}

impl Code {
    /// The digest of the artifact.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What can be called.
    pub fn functions(&self) -> &[FunctionSignature] {
        &self.exports.signatures
    }

    /// What it imports; all granted, or it would not be ready.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    pub(crate) fn linked(&self) -> &Linked {
        &self.linked
    }

    /// Bytes of native code and data, as they weigh on a cache.
    pub(crate) fn image_bytes(&self) -> usize {
        self.image_bytes
    }
}

impl Compiled {
    pub(crate) fn exports(&self, engine: &Engine) -> Result<Exports, EngineError> {
        match self {
            Self::Core(module) => Exports::of_module(module),
            Self::Component(component) => Exports::of_component(engine, component),
        }
    }

    pub(crate) fn imports(&self, engine: &Engine, linkers: &Linkers) -> Vec<Import> {
        match self {
            Self::Core(module) => module
                .imports()
                .map(|import| format!("{}::{}", import.module(), import.name()))
                .map(|name| Import { granted: linkers.core_names.contains(&name), name })
                .collect(),
            Self::Component(component) => component
                .component_type()
                .imports(engine)
                .map(|(name, _)| Import {
                    name: name.to_owned(),
                    granted: GRANTED_PACKAGES.iter().any(|package| name.starts_with(package)),
                })
                .collect(),
        }
    }

    fn image_bytes(&self) -> usize {
        let range = match self {
            Self::Core(module) => module.image_range(),
            Self::Component(component) => component.image_range(),
        };
        (range.end as usize).saturating_sub(range.start as usize)
    }
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> Result<Self, EngineError> {
        let internal = |error: wasmtime::Error| EngineError::Internal(format!("{error:#}"));
        let mut core = Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut core, Guest::p1).map_err(internal)?;
        let mut component = ComponentLinker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut component).map_err(internal)?;
        let mut store = Store::new(engine, Guest::default());
        let core_names = core.iter(&mut store).map(|(module, name, _)| format!("{module}::{name}")).collect();
        Ok(Self { core, core_names, component })
    }

    /// Links code against what is granted.
    ///
    /// # Errors
    /// Names every import that is not granted.
    pub(crate) fn link(
        &self,
        engine: &Engine,
        digest: Digest,
        compiled: &Compiled,
    ) -> Result<Code, EngineError> {
        let imports = compiled.imports(engine, self);
        let missing: Vec<String> = imports.iter().filter(|i| !i.granted).map(|i| i.name.clone()).collect();
        if !missing.is_empty() {
            return Err(EngineError::ImportsNotGranted { missing });
        }
        let linked = match compiled {
            Compiled::Core(module) => self.core.instantiate_pre(module).map(Linked::Core),
            Compiled::Component(component) => {
                self.component.instantiate_pre(component).map(Linked::Component)
            }
        };
        // What is left are imports by a granted name with a type or version of their own.
        let linked =
            linked.map_err(|error| EngineError::ImportsNotGranted { missing: vec![format!("{error:#}")] })?;
        Ok(Code {
            digest,
            exports: compiled.exports(engine)?,
            imports,
            linked,
            image_bytes: compiled.image_bytes(),
        })
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("digest", &self.digest).finish_non_exhaustive()
    }
}

//! Code that is ready: compiled, linked against what the host grants, and
//! described.

use crate::EngineError;
use crate::exports::Exports;
use crate::grants::{grant_of, missing_grant};
use crate::guest::Guest;
use crate::imports;
use pilum_types::{Digest, FunctionSignature, Grants, Import};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::component::{Component, InstancePre as ComponentPre, Linker as ComponentLinker};
use wasmtime::{Engine, InstancePre, Linker, Module, Store};

/// Packages that a component may import. What is in them is bounded by
/// the guest's world, where there are no files, no sockets and no names, and requests
/// leave only to where the task was granted.
const LINKED_PACKAGES: [&str; 10] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:config/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:keyvalue/",
    "wasi:logging/",
    "wasi:random/",
    "wasi:sockets/",
];

/// Instantiating that takes longer is slow: a call over HTTP/2 takes some 30 µs
/// for everything else.
const SLOW_NS: u64 = 150_000;

/// An artifact's code, ready to be called.
pub struct Code {
    digest: Digest,
    exports: Exports,
    /// What it imports, all of it linked.
    imports: Vec<String>,
    /// Whether some of that takes a grant.
    needs_grants: bool,
    linked: Linked,
    image_bytes: usize,
    /// How long instantiating it took of late, in nanoseconds.
    instantiated_ns: AtomicU64,
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

    /// What it imports, and whether a task with these grants gets it.
    pub fn imports(&self, grants: &Grants) -> Vec<Import> {
        let import = |name: &String| Import { name: name.clone(), granted: self.is_granted(name, grants) };
        self.imports.iter().map(import).collect()
    }

    /// Whether a task with these grants may run it.
    ///
    /// # Errors
    /// Names every import that is not granted, and how it would be.
    pub(crate) fn check(&self, grants: &Grants) -> Result<(), EngineError> {
        if !self.needs_grants {
            return Ok(());
        }
        let missing = self.imports.iter().filter(|name| !self.is_granted(name, grants));
        let missing: Vec<String> = missing.map(|name| missing_grant(name)).collect();
        if missing.is_empty() { Ok(()) } else { Err(EngineError::ImportsNotGranted { missing }) }
    }

    fn is_granted(&self, name: &str, grants: &Grants) -> bool {
        grant_of(name).is_none_or(|grant| grant.is_given(grants))
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    pub(crate) fn linked(&self) -> &Linked {
        &self.linked
    }

    /// Notes how long instantiating it took.
    pub(crate) fn was_instantiated(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let before = self.instantiated_ns.load(Ordering::Relaxed);
        let mean = if before == 0 { took } else { before - before / 8 + took / 8 };
        self.instantiated_ns.store(mean, Ordering::Relaxed);
    }

    /// Whether it takes so long to instantiate that a shelf is worth its memory.
    pub(crate) fn is_slow(&self) -> bool {
        self.instantiated_ns.load(Ordering::Relaxed) > SLOW_NS
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

    /// What it imports, and whether a task with these grants would get it here.
    pub(crate) fn imports(&self, engine: &Engine, linkers: &Linkers, grants: &Grants) -> Vec<Import> {
        let import = |name: String| {
            let given = grant_of(&name).is_none_or(|grant| grant.is_given(grants));
            Import { granted: given && self.is_linked(&name, linkers), name }
        };
        self.import_names(engine).into_iter().map(import).collect()
    }

    fn is_linked(&self, name: &str, linkers: &Linkers) -> bool {
        match self {
            Self::Core(_) => linkers.core_names.contains(name),
            Self::Component(_) => LINKED_PACKAGES.iter().any(|package| name.starts_with(package)),
        }
    }

    fn import_names(&self, engine: &Engine) -> Vec<String> {
        match self {
            Self::Core(module) => {
                module.imports().map(|import| format!("{}::{}", import.module(), import.name())).collect()
            }
            Self::Component(component) => {
                component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect()
            }
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
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut component).map_err(internal)?;
        imports::add_to_linker(&mut component).map_err(internal)?;
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
        let imports = compiled.import_names(engine);
        let missing: Vec<String> =
            imports.iter().filter(|name| !compiled.is_linked(name, self)).cloned().collect();
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
            needs_grants: imports.iter().any(|name| grant_of(name).is_some()),
            imports,
            linked,
            image_bytes: compiled.image_bytes(),
            instantiated_ns: AtomicU64::new(0),
        })
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("digest", &self.digest).finish_non_exhaustive()
    }
}

//! Links code against what the host offers.

use crate::code::compiled::Compiled;
use crate::code::prepared::{Code, Linked};
use crate::error::EngineError;
use crate::guest::imports;
use crate::guest::state::Guest;
use pilum_types::{Digest, Grants, Import};
use std::collections::HashSet;
use wasmtime::component::Linker as ComponentLinker;
use wasmtime::{Engine, Linker, Store};

/// Packages that every component may import. The guest's environment bounds what they
/// reach: it has no files, no sockets and no names, and a request leaves only to an
/// address that the task was granted.
const WASI_PACKAGES: [&str; 7] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// Everything that code may import. Made once for each engine.
pub(crate) struct Linkers {
    core: Linker<Guest>,
    /// `module::name` of everything in `core`.
    core_names: HashSet<String>,
    component: ComponentLinker<Guest>,
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

    /// Links code with everything that it imports, granted or not.
    ///
    /// # Errors
    /// Names every import that the host does not have.
    pub(crate) fn link(
        &self,
        engine: &Engine,
        digest: Digest,
        compiled: &Compiled,
    ) -> Result<Code, EngineError> {
        let imports = compiled.import_names(engine);
        let missing: Vec<String> = imports.iter().filter(|name| !self.has(compiled, name)).cloned().collect();
        if !missing.is_empty() {
            return Err(EngineError::ImportsNotGranted { missing });
        }
        let linked = match compiled {
            Compiled::Core(module) => self.core.instantiate_pre(module).map(Linked::Core),
            Compiled::Component(component) => {
                self.component.instantiate_pre(component).map(Linked::Component)
            }
        };
        // The names are known, so an import of another type or version is what failed.
        let linked =
            linked.map_err(|error| EngineError::ImportsNotGranted { missing: vec![format!("{error:#}")] })?;
        Ok(Code::new(digest, compiled.exports(engine)?, imports, linked, compiled.image_bytes()))
    }

    /// What code imports, and whether a task with these grants would get it here.
    pub(crate) fn imports(&self, engine: &Engine, compiled: &Compiled, grants: &Grants) -> Vec<Import> {
        let import = |name: String| {
            let is_given = imports::grant_of(&name).is_none_or(|grant| (grant.is_given)(grants));
            Import { granted: is_given && self.has(compiled, &name), name }
        };
        compiled.import_names(engine).into_iter().map(import).collect()
    }

    fn has(&self, compiled: &Compiled, import: &str) -> bool {
        match compiled {
            Compiled::Core(_) => self.core_names.contains(import),
            Compiled::Component(_) => {
                WASI_PACKAGES.iter().any(|package| import.starts_with(package))
                    || imports::grant_of(import).is_some()
            }
        }
    }
}

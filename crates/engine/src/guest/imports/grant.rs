//! What the engine knows of one grant.

use crate::guest::state::Guest;
use pilum_types::Grants;
use wasmtime::Result;
use wasmtime::component::Linker;

/// A package of imports that only granted tasks may have.
pub(crate) struct Grant {
    /// How the names of its imports begin: `wasi:logging/`.
    pub(crate) package: &'static str,
    /// How a task's manifest grants it, for error messages.
    pub(crate) manifest_entry: &'static str,
    /// Whether a task has it.
    pub(crate) is_given: fn(&Grants) -> bool,
    /// Links its interfaces, in every version that is known.
    pub(crate) add_to_linker: fn(&mut Linker<Guest>) -> Result<()>,
}

impl Grant {
    /// The name of an import that lacks this grant, with how to grant it.
    pub(crate) fn missing(&self, import: &str) -> String {
        format!("{import} (granted by `{}` in the task's manifest)", self.manifest_entry)
    }
}

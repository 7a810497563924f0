//! The errors of this crate.
//!
//! [`EngineError`] is what can go wrong before a call runs, and the only error that
//! leaves the crate. What goes wrong while a call runs leaves it as a
//! [`pilum_types::Failure`]; [`CallError`] is its form inside.

use pilum_artifact::ArtifactError;
use pilum_types::{Failure, FailureCode};

/// Code that could not be prepared.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The artifact could not be fetched or verified.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The bytes are not WebAssembly that this host runs. The text says where and why.
    #[error("the artifact is not a valid WebAssembly module or component: {0}")]
    Invalid(String),
    /// Compiling took more time or memory than it may.
    #[error("the artifact could not be compiled within its bounds: {0}")]
    CompileLimit(String),
    /// The code is valid but needs more memory, tables or the like than an instance
    /// gets here. The text says what.
    #[error("the artifact needs more than an instance gets on this host: {0}")]
    DoesNotFit(String),
    /// The code imports what the host does not grant.
    #[error("the artifact imports what is not granted: {}", .missing.join(", "))]
    ImportsNotGranted {
        /// Each import, as `module::name` or `interface`.
        missing: Vec<String>,
    },
    /// The settings cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The host's own disk, processes or memory failed.
    #[error("{0}")]
    Internal(String),
}

/// Why a call ended without a result.
#[derive(Debug)]
pub(crate) enum CallError {
    /// wasmtime stopped the guest. `call::failure` says what that means.
    Wasm(wasmtime::Error),
    /// The failure is already known.
    Failed(Failure),
}

/// The error with which the epoch callback stops a guest.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the deadline has passed")]
pub(crate) struct DeadlinePassed;

impl CallError {
    /// A mistake of this crate, which fails the call that met it and no other. Debug
    /// builds stop here.
    pub(crate) fn own_mistake(what: &str) -> Self {
        debug_assert!(false, "{what}");
        Self::Failed(Failure::new(FailureCode::HostError, what))
    }
}

impl From<wasmtime::Error> for CallError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wasm(error)
    }
}

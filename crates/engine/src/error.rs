//! What can go wrong before a call runs. What goes wrong while it runs is a
//! [`pilum_types::Failure`].

use pilum_artifact::ArtifactError;

/// Code that could not be made ready.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The artifact could not be had.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The bytes are no wasm this host runs. The text says where and why.
    #[error("the artifact is not a valid WebAssembly module or component: {0}")]
    Invalid(String),
    /// Compiling took more than its bounds.
    #[error("the artifact could not be compiled within its bounds: {0}")]
    CompileLimit(String),
    /// The code is valid and needs more memory, tables or the like than an
    /// instance gets here. The text says what.
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

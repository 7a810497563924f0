//! Runs WebAssembly: compiles verified artifacts, keeps native code, makes
//! instances, calls functions by name with plain values, and holds every call
//! to its limits.
//!
//! In reading order: [`Engine`] is the face; `config` is the one place where
//! wasmtime is configured; `compile` and `native` turn bytes into code;
//! `code` and `exports` say what the code can do, `docs` what its author says of it; `lower`, `lift` and `json`
//! convert values; `call` runs one call; `guest`, `limiter`, `output` and `ticker` are
//! what stands around the guest while it runs; `failure` reads its end.
//!
//! **Invariant:** this is the only crate that knows wasmtime, and it knows no
//! network: bytes come in as a [`pilum_artifact::VerifiedArtifact`] and in no
//! other way. It imports neither tonic nor the execution crate.

mod bind;
mod call;
mod code;
mod compile;
mod config;
#[cfg_attr(not(test), expect(dead_code, reason = "shown once a task can be described"))]
mod docs;
mod engine;
mod error;
mod exports;
mod failure;
mod guest;
mod json;
mod lift;
mod limiter;
mod lower;
mod native;
mod output;
mod ticker;
mod wit;

pub use bind::BoundCall;
pub use call::CallContext;
pub use code::{Code, Import};
pub use compile::{Compiler, run_compile_child};
pub use config::EngineSettings;
pub use engine::{Engine, RetainedArtifact};
pub use error::{BindError, EngineError};
pub use output::Tap;

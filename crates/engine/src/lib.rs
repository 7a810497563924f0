//! Runs WebAssembly: compiles verified artifacts, keeps native code, makes
//! instances, calls functions by name with plain values, and holds every call
//! to its limits.
//!
//! In reading order: [`Engine`] is the face; `config` is the one place where
//! wasmtime is configured; `compile` and `native` turn bytes into code;
//! `code` and `exports` say what the code can do, `docs` what its author says of
//! it; `lower`, `lift` and `json`
//! convert values; `call` runs one call and `handler` one of an http handler;
//! `house`, `shelf` and `instance` give it an instance; `guest`, `limiter`,
//! `output`, `pieces`, `outgoing` and `ticker` are what stands around the guest
//! while it runs; `failure` reads its end.
//!
//! **Invariant:** this is the only crate that knows wasmtime, and it knows no
//! network: bytes come in as a [`pilum_artifact::VerifiedArtifact`] and in no
//! other way. It imports neither tonic nor the execution crate.

mod bind;
mod call;
mod code;
mod compile;
mod config;
mod docs;
mod engine;
mod error;
mod exports;
mod failure;
mod grants;
mod guest;
mod handler;
mod house;
mod imports;
mod instance;
mod json;
mod lift;
mod limiter;
mod lower;
mod native;
mod outgoing;
mod output;
mod pieces;
mod request;
mod shelf;
mod ticker;
mod wit;

pub use bind::BoundCall;
pub use code::Code;
pub use compile::{Compiler, run_compile_child};
pub use config::EngineSettings;
pub use engine::{Engine, OwnedInstances, RetainedArtifact};
pub use error::EngineError;
pub use guest::Services;
pub use imports::{KeyValue, KeyValueError, Running};
pub use outgoing::{SendError, SendRequest, Sending};

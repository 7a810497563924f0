//! Runs WebAssembly: prepares verified artifacts, makes instances of them, and calls
//! their functions by name with plain values, within the limits of each call.
//!
//! In reading order: [`Engine`] is the interface of the crate. `config` is the one
//! place where wasmtime is configured, and `error` has the errors. Then come the
//! folders, each of which imports only those before it:
//! - `values` converts between plain values and the values of functions;
//! - `guest` is what surrounds a guest while it runs: its limits, its environment, its
//!   output, its requests, and what it may import;
//! - `code` compiles, caches, links and describes code;
//! - `pool` makes instances and holds idle ones;
//! - `call` fits a call to its function and runs it.
//!
//! To add a grant, begin at `guest::imports`; ARCHITECTURE.md lists the other places.
//!
//! **Invariant:** this is the only crate that knows wasmtime, and it knows no network.
//! Bytes come in only as a [`pilum_artifact::VerifiedArtifact`]. It imports neither
//! tonic nor the execution crate.
//!
//! **Invariant:** it reads artifacts and never writes them. The host keeps uploads and
//! pins artifacts in the [`pilum_artifact::ArtifactStore`].
//!
//! **Invariant:** the imports between its files form no circle. A file imports what it
//! uses from the file that defines it.

mod config;
mod engine;
mod error;

mod call;
mod code;
mod guest;
mod pool;
mod values;

pub use call::bind::BoundCall;
pub use code::compile::{Compiler, run_compile_child};
pub use code::prepared::Code;
pub use config::EngineSettings;
pub use engine::{Engine, WarmPoolGuard};
pub use error::EngineError;
pub use guest::imports::key_value::port::{KeyValue, KeyValueError, KeyValueFuture};
pub use guest::outgoing::{SendError, SendFuture, SendRequest};
pub use guest::services::Services;

//! One call of a function, as it crosses from the execution layer to the engine.
//!
//! [`CallContext`] says what an attempt runs under, [`OutputMode`] where its output
//! goes, [`LogSink`] receives its log lines, and [`BindError`] says why a call does not
//! fit its function. The execution layer makes these values and the engine uses them, so
//! no value is copied into another type on the way.
//!
//! **Invariant:** types only. This crate runs nothing, stores nothing, and imports
//! neither wasmtime nor any sibling but [`pilum_types`], so the execution layer and
//! the engine can share it without knowing each other.

mod bind_error;
mod context;
mod http;
mod log_sink;

pub use bind_error::BindError;
pub use context::{CallContext, OutputMode, RevisionKey};
pub use http::{HTTP_HANDLER_FUNCTION, HttpBody, HttpBodyError, HttpRequest, HttpResponse};
pub use log_sink::LogSink;

//! The HTTP listener: tasks' http handlers, an execution's status as JSON, probes, and
//! metrics.

mod error_response;
mod execution_json;
mod execution_status;
mod functions;
mod listener;
mod metrics;
mod probes;
mod router;
mod state;

pub use execution_json::status_json;
pub(crate) use listener::serve;

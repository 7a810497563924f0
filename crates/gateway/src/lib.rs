//! The network side of the host: gRPC on one listener, HTTP/JSON on the other.
//!
//! In reading order:
//! - `identity`: the tenant of a request.
//! - `convert`: a request as a [`pilum_execution::Invocation`], with every check of the
//!   contract that needs no task and no execution. The one place where wire types of
//!   requests are read.
//! - `service`: the RPCs. Each converts a request, calls
//!   [`pilum_execution::Executions`] once, and converts the answer back.
//! - `reply`: executions, tasks and counters as wire messages.
//! - `error`, `status`: why a request gets an error, and the one table from an error to
//!   its gRPC status and its HTTP status (`text` cuts long messages).
//! - `http`: http handlers, an execution's status, probes and metrics (`process` measures
//!   the host's own memory and processor time).
//! - `limits`, `connection`: every bound of the listeners, and bounded connections.
//! - `grpc`: the gRPC listener, with a bound on the requests that are coming in.
//! - `server`: both listeners until shutdown.
//!
//! [`serve`] runs both listeners of a server. [`serve_stream`] runs the same gRPC services
//! over one in-process stream, so a command line that starts its own host uses the same
//! code as a server.
//!
//! **Invariant:** no way around admission. This crate imports neither the engine nor the
//! artifact layer, so a request reaches a guest only through
//! [`pilum_execution::Executions`], with its limits and its status tracking.
//!
//! **Invariant:** every error status is chosen in `status`. No other file picks a gRPC
//! status or an HTTP status for an error.

mod connection;
mod convert;
mod error;
mod grpc;
mod http;
mod identity;
mod limits;
mod process;
mod reply;
mod server;
mod service;
mod status;
mod text;

pub use error::GatewayError;
pub use http::status_json;
pub use limits::GatewayLimits;
pub use server::{serve, serve_stream};

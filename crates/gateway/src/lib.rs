//! The doors of the host: gRPC on one listener, HTTP/JSON on the other.
//!
//! In reading order:
//! - `identity`: whose request it is.
//! - `convert`: a request as an [`pilum_execution::Invocation`], with every check
//!   of the contract that needs no look-up. The one place wire types are read.
//! - `service`: the RPCs, each a conversion, one call of
//!   [`pilum_execution::Executions`], and a conversion back.
//! - `reply`: an execution, a task, the counters as messages.
//! - `status`: the one table from a refusal to gRPC status and HTTP status.
//! - `http`, `metrics`, `process`: status by id, probes, Prometheus text.
//! - `limits`, `connection`, `intake`, `server`: every bound, bounded connections,
//!   bounded requests on their way in, and serving until shutdown.
//!
//! [`serve`] runs both listeners of a server, [`serve_stream`] the same gRPC
//! services over one in-process stream, so that a command line that hosts
//! itself takes the code path of a server.
//!
//! **Invariant:** no way around admission. This crate imports neither the
//! engine nor the artifact layer, so a request reaches a guest only through
//! [`pilum_execution::Executions`], with its limits and its status tracking.

mod answers;
mod connection;
mod convert;
mod error;
mod health;
mod http;
mod identity;
mod intake;
mod limits;
mod metrics;
mod process;
mod reply;
mod schema;
mod server;
mod service;
mod status;

pub use error::GatewayError;
pub use http::status_json;
pub use limits::GatewayLimits;
pub use server::{serve, serve_stream};

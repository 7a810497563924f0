//! The gRPC listener: its services, its limits, and how bytes come in and leave.

mod coalescing_io;
mod health;
mod listener;
mod request_body_budget;

pub(crate) use health::Health;
pub(crate) use listener::{routes, serve};

//! Tests of the host as its users run it: a real process, real guests, real sockets.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

// The contract: each refusal, and the meaning of each field.
mod artifacts;
mod asynchronous;
mod deploy;
mod durable;
mod flows;
mod http;
mod refusals;
mod rpcs;
mod streams;

// Guests of every kind, the limits that stop them, and the command line.
mod cli;
mod guests;
mod hostile;
mod lifecycle;

//! The host as its users meet it: a real process, real guests, real sockets.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

// Refusals, row by row of the contract's table, and what the fields mean.
mod artifacts;
mod asynchronous;
mod deploy;
mod durable;
mod flows;
mod http;
mod imports;
mod refusals;
mod rpcs;
mod streams;

// Guests of every kind, and the limits that stop them.
mod cli;
mod guests;
mod hostile;
mod lifecycle;
mod values;

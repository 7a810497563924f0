//! The host: configuration, wiring, the command line, and shutdown.
//!
//! In reading order: [`config`] has every setting; [`wiring`] puts artifact store, engine
//! and executions together; [`serve`] runs them behind the listeners until a signal;
//! [`cli`] and [`commands`] are the subcommands that a person types.
//!
//! It is a library beside the binary, so that the benchmarks measure the same wiring that
//! users run.
//!
//! **Invariant:** this crate only connects the others. It imports neither wasmtime nor
//! tonic nor an HTTP client: [`pilum_engine`] runs guests, [`pilum_gateway`] and
//! [`pilum_client`] speak gRPC, [`pilum_outbound`] sends requests.

mod callbacks;
pub mod cli;
pub mod commands;
pub mod config;
mod logging;
mod runtime;
pub mod serve;
mod services;
mod terminal;
pub mod wiring;

pub use runtime::EngineRuntime;

//! The host: configuration, wiring, the command line, and shutdown.
//!
//! In reading order: [`config`] is what can be set; [`wiring`] puts artifact
//! store, engine and executions together; [`serve`] runs them behind the
//! listeners until a signal; [`cli`] and [`commands`] are what a person types.
//!
//! It is a library beside the binary so that the benchmarks measure the very
//! same wiring that users run.
//!
//! **Invariant:** wiring stays wiring. This crate imports neither wasmtime nor
//! tonic: what runs guests is behind [`pilum_engine`], what speaks gRPC behind
//! [`pilum_gateway`] and [`pilum_client`].

mod callbacks;
pub mod cli;
pub mod commands;
pub mod config;
mod logging;
mod runtime;
pub mod serve;
mod services;
pub mod wiring;

pub use runtime::EngineRuntime;

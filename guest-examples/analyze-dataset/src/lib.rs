//! Statistics of a table of sales, as a component: long-running by choice.
//!
//! Few resamples take a moment, many take minutes: see [`analysis`]. The same
//! code as a command is in `main.rs`.

pub mod analysis;
pub mod bootstrap;
#[cfg(target_family = "wasm")]
mod component;
pub mod statistics;

//! Statistics of a table of sales, as a component.
//!
//! A call with few resamples is short, and one with many takes minutes; see
//! [`analysis`]. `main.rs` has the same code as a command.

pub mod analysis;
pub mod bootstrap;
#[cfg(target_family = "wasm")]
mod component;
pub mod statistics;

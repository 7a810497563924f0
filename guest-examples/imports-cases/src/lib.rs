//! Imports beyond WASI: configuration, stored values, a log.

#[cfg(target_family = "wasm")]
mod component;

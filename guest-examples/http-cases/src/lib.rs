//! Handlers that behave and handlers that do not, by path.

#[cfg(target_family = "wasm")]
mod handler;

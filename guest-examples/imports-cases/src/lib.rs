//! What may be imported beyond WASI: configuration, values that are kept, a log.

#[cfg(target_family = "wasm")]
mod component;

//! Correct and wrong handlers, chosen by the path.

#[cfg(target_family = "wasm")]
mod handler;

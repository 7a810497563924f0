//! One function for each type of WIT, which returns its argument.
//!
//! There are also functions that access the world outside (`print`, `complain`, `env`,
//! `list-dir`, `connect`), one that always fails, and one that counts its calls, which
//! shows whether the instance is new.

#![cfg(target_family = "wasm")]

mod component;
mod network;

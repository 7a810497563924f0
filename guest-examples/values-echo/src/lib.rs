//! Every type of WIT, there and back: one function for each, which returns what
//! it is given.
//!
//! Besides, functions that reach outside (`print`, `complain`, `env`,
//! `list-dir`, `connect`), one that always fails, and one that counts its calls
//! and so tells a fresh instance from a used one.

#![cfg(target_family = "wasm")]

mod component;
mod network;

//! What Pilum is measured against.

pub(crate) mod echo;
pub(crate) mod wasmtime;

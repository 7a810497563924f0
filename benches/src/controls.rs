//! The controls that Pilum is measured against.

pub(crate) mod cold;
pub(crate) mod echo;
pub(crate) mod engine;
pub(crate) mod wasmtime;

/// A result with wasmtime's error type as one with anyhow's.
pub(crate) fn checked<T>(result: ::wasmtime::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| anyhow::anyhow!("{error:#}"))
}

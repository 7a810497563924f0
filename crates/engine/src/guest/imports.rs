//! What guests may import beyond WASI, each behind a grant.
//!
//! The interfaces are drafts that toolchains carry in several versions which differ
//! in nothing but that; all those we know are linked.

mod config;
mod key_value;
mod logging;

pub use key_value::{KeyValue, KeyValueError, Running};

use crate::guest::Guest;
use wasmtime::Result;
use wasmtime::component::Linker;

/// Links all of it.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    config::add_to_linker(linker)?;
    key_value::add_to_linker(linker)?;
    logging::add_to_linker(linker)
}

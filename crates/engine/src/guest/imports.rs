//! What guests may import beyond WASI. Each package takes a grant by the task's owner.
//!
//! To add a grant, write a module like the ones here, add its line to [`GRANTS`], and
//! add its field to [`pilum_types::Grants`].

pub(crate) mod config;
pub(crate) mod grant;
pub(crate) mod key_value;
pub(crate) mod logging;

use crate::guest::imports::grant::Grant;
use crate::guest::state::Guest;
use wasmtime::Result;
use wasmtime::component::Linker;

/// Every package of imports that takes a grant.
const GRANTS: [Grant; 3] = [config::GRANT, key_value::GRANT, logging::GRANT];

/// Links every package that takes a grant.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    GRANTS.iter().try_for_each(|grant| (grant.add_to_linker)(linker))
}

/// The grant that an import of this name takes; `None` for an import that every task
/// may have.
///
/// Requests to other servers are not among them: much code links them and never sends
/// one, so each request is checked when it is sent.
pub(crate) fn grant_of(import: &str) -> Option<&'static Grant> {
    GRANTS.iter().find(|grant| import.starts_with(grant.package))
}

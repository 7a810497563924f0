//! Requests in the domain's words.
//!
//! The one place wire types are read. What needs no look-up is checked here,
//! and each rejection names the field by its path on the wire.

mod deployment;
mod invocation;
mod page;
mod parameters;
mod schedule;
mod wait;

pub(crate) use deployment::deployment;
pub(crate) use invocation::{Rpc, invocation};
pub(crate) use page::{dead_letter_page, execution_page, limit, task_page};
pub(crate) use wait::wait;

use crate::error::Rejection;
use std::collections::BTreeMap;

/// Longest free text a request gives for people, in bytes.
const FREE_TEXT_MAX_BYTES: usize = 4 * 1024;
/// Longest label (an artifact's id, type, version), in bytes.
const LABEL_MAX_BYTES: usize = 256;
/// Entries of a metadata map, and its keys and values together in bytes: a
/// thousand of them fit in one page of a listing.
const METADATA_MAX_ENTRIES: usize = 64;
/// See [`METADATA_MAX_ENTRIES`].
const METADATA_MAX_BYTES: usize = 4 * 1024;

/// Longest reason a cancellation may give, in bytes.
pub(crate) fn reason(reason: String) -> Result<String, Rejection> {
    bounded("reason", reason, FREE_TEXT_MAX_BYTES)
}

/// `text`, if it is no longer than `max` bytes.
fn bounded(field: &str, text: String, max: usize) -> Result<String, Rejection> {
    if text.len() <= max {
        return Ok(text);
    }
    Err(Rejection::field(field, format!("has {} bytes, at most {max} are allowed", text.len())))
}

/// The entries of `map` in order of key, if they are few and short.
fn metadata(field: &str, map: BTreeMap<String, String>) -> Result<Vec<(String, String)>, Rejection> {
    sized(field, &map, METADATA_MAX_ENTRIES, METADATA_MAX_BYTES)?;
    Ok(map.into_iter().collect())
}

/// Checks the number of entries and their bytes, keys and values together.
fn sized(
    field: &str,
    map: &BTreeMap<String, String>,
    max_entries: usize,
    max_bytes: usize,
) -> Result<(), Rejection> {
    if map.len() > max_entries {
        let reason = format!("has {} entries, at most {max_entries} are allowed", map.len());
        return Err(Rejection::field(field, reason));
    }
    let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > max_bytes {
        let reason = format!("has {bytes} bytes in all, at most {max_bytes} are allowed");
        return Err(Rejection::field(field, reason));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

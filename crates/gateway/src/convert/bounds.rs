//! Bounds that several requests share.

use crate::error::ApiError;
use std::collections::BTreeMap;

/// Longest free text that a request may carry for people, in bytes.
pub(super) const FREE_TEXT_MAX_BYTES: usize = 4 * 1024;
/// Longest label (an artifact's id, type, version; a parameter's name), in bytes.
pub(super) const LABEL_MAX_BYTES: usize = 256;
/// Longest URL, in bytes: the bound that clients and servers commonly have.
pub(super) const URL_MAX_BYTES: usize = 2_048;
/// How many entries a metadata map may have. A thousand maps of this and the next bound
/// fit in one page of a listing.
const METADATA_MAX_ENTRIES: usize = 64;
/// How long the keys and values of a metadata map may be together, in bytes.
const METADATA_MAX_BYTES: usize = 4 * 1024;

/// The reason of a cancellation, at most [`FREE_TEXT_MAX_BYTES`] long.
pub(crate) fn cancel_reason(reason: String) -> Result<String, ApiError> {
    bounded("reason", reason, FREE_TEXT_MAX_BYTES)
}

/// Checks the time range of a request for statistics. The statistics cover the time
/// since the host started, so only the sign is read.
pub(crate) fn check_time_range(hours: i32) -> Result<(), ApiError> {
    if hours < 0 {
        return Err(ApiError::field("time_range_hours", "may not be negative"));
    }
    Ok(())
}

/// `text`, if it is no longer than `max` bytes.
pub(super) fn bounded(field: &str, text: String, max: usize) -> Result<String, ApiError> {
    if text.len() <= max {
        return Ok(text);
    }
    Err(ApiError::field(field, format!("has {} bytes, at most {max} are allowed", text.len())))
}

/// The entries of a metadata map in ascending order of key.
pub(super) fn metadata(
    field: &str,
    map: BTreeMap<String, String>,
) -> Result<Vec<(String, String)>, ApiError> {
    check_map_size(field, &map, METADATA_MAX_ENTRIES, METADATA_MAX_BYTES)?;
    Ok(map.into_iter().collect())
}

/// Checks the number of entries, and the bytes of all keys and values together.
pub(super) fn check_map_size(
    field: &str,
    map: &BTreeMap<String, String>,
    max_entries: usize,
    max_bytes: usize,
) -> Result<(), ApiError> {
    if map.len() > max_entries {
        let reason = format!("has {} entries, at most {max_entries} are allowed", map.len());
        return Err(ApiError::field(field, reason));
    }
    let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > max_bytes {
        let reason = format!("has {bytes} bytes in all, at most {max_bytes} are allowed");
        return Err(ApiError::field(field, reason));
    }
    Ok(())
}

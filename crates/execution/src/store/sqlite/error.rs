//! SQLite's errors in the store's words.

use crate::StoreError;
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};

/// An error of SQLite that leaves the store as it was.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::NoSpace(error.to_string()),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// Whether nothing can be promised after this error: what was to be on the disk
/// may or may not be, and asking again does not tell
/// (<https://wiki.postgresql.org/wiki/Fsync_Errors>).
pub(super) fn is_fatal(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error();
    code.is_some_and(|error| {
        matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            || [SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC].contains(&error.extended_code)
    })
}

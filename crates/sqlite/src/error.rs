//! Errors of this crate, and SQLite's errors as errors of the store.

use pilum_store::StoreError;
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
use std::path::PathBuf;

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be created or locked.
    #[error("the directory {} cannot be used", .directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The cause.
        #[source]
        cause: std::io::Error,
    },
    /// Another process uses the directory.
    #[error("another process uses the directory {}", .directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// The file in the directory cannot be used.
    #[error("the store in the directory {} cannot be opened", .directory.display())]
    Store {
        /// The directory.
        directory: PathBuf,
        /// The cause.
        #[source]
        cause: StoreError,
    },
}

/// Converts an error of SQLite after which the store is unchanged.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::StorageFull(error.to_string()),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// Whether the store can keep no promise after this error: it is unknown whether the data is
/// on the disk, and another sync does not show it
/// (<https://wiki.postgresql.org/wiki/Fsync_Errors>).
pub(crate) fn is_fatal(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error();
    code.is_some_and(|error| {
        matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            || [SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC].contains(&error.extended_code)
    })
}

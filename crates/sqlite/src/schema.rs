//! The tables, and the migrations from older versions of the file.

use crate::error::failed;
use pilum_store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// The oldest SQLite version that keeps the store's promises. In older versions a reset of
/// the log could lose a commit (<https://sqlite.org/wal.html#walresetbug>).
const SQLITE_MIN: i32 = 3_051_003;
/// The page cache of each connection, in KiB.
const CACHE_KIB: i64 = 16 << 10;
/// How long a connection waits for another connection of this process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Entry `n` takes a file from version `n` to version `n + 1`. Entries are only ever added.
const MIGRATIONS: [&str; 2] = [
    r"
    CREATE TABLE tasks (
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        task BLOB NOT NULL,
        PRIMARY KEY (tenant, id)
    ) WITHOUT ROWID;

    -- One row for each execution. Times are nanoseconds since 1970.
    CREATE TABLE executions (
        number INTEGER PRIMARY KEY,
        tenant TEXT NOT NULL,
        id TEXT NOT NULL,
        task_id TEXT NOT NULL,
        function TEXT NOT NULL,
        -- 0 pending, 1 running, 2 completed, 3 failed, 4 cancelled, 5 timeout
        state INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        accepted_at INTEGER NOT NULL,
        started_at INTEGER,
        completed_at INTEGER,
        not_before INTEGER,
        latest_start INTEGER,
        attempts_begun INTEGER NOT NULL DEFAULT 0,
        claims INTEGER NOT NULL DEFAULT 0,
        lost_workers INTEGER NOT NULL DEFAULT 0,
        brought INTEGER NOT NULL,
        expired INTEGER NOT NULL DEFAULT 0,
        dead_letter INTEGER NOT NULL DEFAULT 0,
        redriven_as TEXT,
        error_code TEXT,
        error_message TEXT,
        peak_memory_bytes INTEGER NOT NULL DEFAULT 0,
        -- NULL if they are in the tables for large ones.
        submission BLOB,
        attempts BLOB,
        outcome BLOB
    );
    CREATE UNIQUE INDEX executions_by_id ON executions (tenant, id);
    CREATE INDEX executions_by_task ON executions (tenant, task_id, id);
    CREATE INDEX executions_active ON executions (number) WHERE state < 2;
    CREATE INDEX executions_ended ON executions (completed_at)
        WHERE completed_at IS NOT NULL AND dead_letter = 0 AND expired = 0;
    CREATE INDEX executions_dead ON executions (tenant, id) WHERE dead_letter = 1;
    CREATE INDEX executions_dead_ended ON executions (completed_at) WHERE dead_letter = 1;
    CREATE INDEX executions_expired ON executions (accepted_at) WHERE expired = 1;

    -- Submissions and outcomes that are too large for their rows.
    CREATE TABLE submissions (
        number INTEGER PRIMARY KEY,
        submission BLOB NOT NULL
    );
    CREATE TABLE outcomes (
        number INTEGER PRIMARY KEY,
        outcome BLOB NOT NULL
    );

    -- Terminal statuses that are still to be delivered.
    CREATE TABLE callbacks (
        number INTEGER PRIMARY KEY,
        tries INTEGER NOT NULL,
        at INTEGER NOT NULL
    );

    -- The latest time that the store recorded, and on which boot.
    CREATE TABLE anchor (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        boot_id TEXT NOT NULL,
        since_boot INTEGER NOT NULL,
        time INTEGER NOT NULL
    );
",
    r"
    ALTER TABLE executions RENAME COLUMN brought TO client_supplied_id;
    ALTER TABLE anchor RENAME TO clock_checkpoint;
",
];

/// Opens the file for the writer, and migrates it to this version.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let version = rusqlite::version_number();
    if version < SQLITE_MIN {
        let text = format!("SQLite {} has a known fault; 3.51.3 or later is needed", rusqlite::version());
        return Err(StoreError::Failed(text));
    }
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    for (name, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        // The writer makes the checkpoints itself, so that it sees their errors.
        ("wal_autocheckpoint", "0"),
        ("temp_store", "MEMORY"),
    ] {
        connection.pragma_update(None, name, value).map_err(failed)?;
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens the file for reading.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(failed)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > MIGRATIONS.len() {
        let text = format!(
            "the file has version {version} and was written by a newer pilum; this pilum knows versions up to {}",
            MIGRATIONS.len()
        );
        return Err(StoreError::Failed(text));
    }
    for (from, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction.pragma_update(None, "user_version", from as i64 + 1).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

//! Values that functions store between their calls. They have a file of their own: a function
//! writes them in the middle of a call, and must not wait for the writer of the executions.

use pilum_store::{KeyPage, KeyValueError, KeyValueStore};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The longest key, in bytes.
const KEY_MAX_BYTES: usize = 1 << 10;
/// The longest value, in bytes.
const VALUE_MAX_BYTES: usize = 1 << 20;
/// The most keys that one operation may name.
const KEYS_MAX: usize = 1_000;
/// The most bytes that one operation reads.
const READ_MAX_BYTES: usize = 8 << 20;
/// Bytes that an entry costs besides its bucket, key and value. Without them a task could fill
/// the disk with empty values and stay within its bound.
const ENTRY_COST_BYTES: i64 = 128;
/// Keys in one page of a listing.
const PAGE_KEYS: i64 = 1_000;
/// Pragmas of the connection: a value is on the disk before the guest gets its answer.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;";
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY,
        task TEXT NOT NULL,
        bucket TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        UNIQUE (task, bucket, key)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS entries_by_bucket ON entries (task, bucket);
    CREATE TABLE IF NOT EXISTS usage (task TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
";

/// The values of all tasks, in one file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyValues {
    /// One operation runs at a time. A read takes microseconds, a write takes a sync.
    connection: Arc<Mutex<Connection>>,
    /// The most bytes of one namespace, keys and values together.
    task_max_bytes: u64,
}

/// Why an operation on the file failed.
enum Fault {
    Sql(rusqlite::Error),
    Refused(KeyValueError),
}

impl KeyValues {
    /// Opens the file `values.sqlite` in `directory`, or creates it. Blocks for a moment.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(directory: &Path, task_max_bytes: u64) -> Result<Self, KeyValueError> {
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(directory.join("values.sqlite"))?;
            connection.execute_batch(PRAGMAS)?;
            connection.execute_batch(SCHEMA)?;
            Ok(connection)
        };
        let connection = open().map_err(|error| KeyValueError::from(Fault::from(error)))?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), task_max_bytes })
    }

    /// Runs one operation on a thread that may block. The operation runs to its end even if
    /// the caller stops waiting.
    async fn with<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, KeyValueError> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        let done = tokio::task::spawn_blocking(move || operation(&mut connection)).await;
        done.map_err(|error| KeyValueError::Failed(error.to_string()))?.map_err(KeyValueError::from)
    }
}

impl KeyValueStore for KeyValues {
    async fn get(
        &self,
        namespace: String,
        bucket: Arc<str>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueError> {
        check_key_count(keys.len())?;
        self.with(move |connection| {
            let sql = "SELECT value FROM entries WHERE task = ?1 AND bucket = ?2 AND key = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let mut found: Vec<Option<Vec<u8>>> = Vec::with_capacity(keys.len());
            let mut bytes = 0;
            for key in keys {
                if bytes > READ_MAX_BYTES {
                    return Err(KeyValueError::TooMuch { max_bytes: READ_MAX_BYTES }.into());
                }
                bytes += found.last().and_then(Option::as_ref).map_or(0, Vec::len);
                found
                    .push(statement.query_row(params![namespace, bucket, key], |row| row.get(0)).optional()?);
            }
            Ok(found)
        })
        .await
    }

    async fn set(
        &self,
        namespace: String,
        bucket: Arc<str>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), KeyValueError> {
        check_key_count(pairs.len())?;
        let max_bytes = self.task_max_bytes;
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            for (key, value) in pairs {
                put(&transaction, &namespace, &bucket, &key, &value, max_bytes)?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    async fn delete(
        &self,
        namespace: String,
        bucket: Arc<str>,
        keys: Vec<String>,
    ) -> Result<(), KeyValueError> {
        check_key_count(keys.len())?;
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            for key in keys {
                let before = size(&transaction, &namespace, &bucket, &key)?;
                let sql = "DELETE FROM entries WHERE task = ?1 AND bucket = ?2 AND key = ?3";
                transaction.prepare_cached(sql)?.execute(params![namespace, bucket, key])?;
                update_usage(&transaction, &namespace, before.unwrap_or(0), 0)?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    async fn keys(&self, namespace: String, bucket: Arc<str>, after: u64) -> Result<KeyPage, KeyValueError> {
        self.with(move |connection| {
            let sql = "SELECT id, key FROM entries WHERE task = ?1 AND bucket = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
            let mut statement = connection.prepare_cached(sql)?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![namespace, bucket, after, PAGE_KEYS], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
            let rows: Vec<(i64, String)> = rows.collect::<Result<_, _>>()?;
            let is_full = i64::try_from(rows.len()) == Ok(PAGE_KEYS);
            let last = rows.last().and_then(|(id, _)| u64::try_from(*id).ok());
            Ok(KeyPage { keys: rows.into_iter().map(|(_, key)| key).collect(), next: last.filter(|_| is_full) })
        })
        .await
    }

    async fn increment(
        &self,
        namespace: String,
        bucket: Arc<str>,
        key: String,
        delta: u64,
    ) -> Result<u64, KeyValueError> {
        let max_bytes = self.task_max_bytes;
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            let sql = "SELECT value FROM entries WHERE task = ?1 AND bucket = ?2 AND key = ?3";
            let stored: Option<Vec<u8>> = transaction
                .prepare_cached(sql)?
                .query_row(params![namespace, bucket, key], |row| row.get(0))
                .optional()?;
            let number = match stored {
                None => 0,
                Some(text) => std::str::from_utf8(&text)
                    .ok()
                    .and_then(|text| text.parse::<u64>().ok())
                    .ok_or(KeyValueError::NotANumber)?,
            };
            let sum = number.checked_add(delta).ok_or(KeyValueError::NotANumber)?;
            put(&transaction, &namespace, &bucket, &key, sum.to_string().as_bytes(), max_bytes)?;
            transaction.commit()?;
            Ok(sum)
        })
        .await
    }

    async fn remove_namespace(&self, namespace: String) -> Result<(), KeyValueError> {
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute("DELETE FROM entries WHERE task = ?1", params![namespace])?;
            transaction.execute("DELETE FROM usage WHERE task = ?1", params![namespace])?;
            Ok(transaction.commit()?)
        })
        .await
    }
}

fn check_key_count(keys: usize) -> Result<(), KeyValueError> {
    if keys > KEYS_MAX { Err(KeyValueError::TooManyKeys { keys, max: KEYS_MAX }) } else { Ok(()) }
}

fn put(
    transaction: &Transaction<'_>,
    namespace: &str,
    bucket: &str,
    key: &str,
    value: &[u8],
    max_bytes: u64,
) -> Result<(), Fault> {
    for (what, bytes, max) in [("key", key.len(), KEY_MAX_BYTES), ("value", value.len(), VALUE_MAX_BYTES)] {
        if bytes > max {
            return Err(KeyValueError::TooLong { what, bytes, max }.into());
        }
    }
    let before = size(transaction, namespace, bucket, key)?.unwrap_or(0);
    let after = i64::try_from(bucket.len() + key.len() + value.len()).unwrap_or(i64::MAX) + ENTRY_COST_BYTES;
    let total = update_usage(transaction, namespace, before, after)?;
    if after > before && u64::try_from(total).unwrap_or(0) > max_bytes {
        return Err(KeyValueError::Full { max_bytes }.into());
    }
    let sql = "INSERT INTO entries (task, bucket, key, value) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (task, bucket, key) DO UPDATE SET value = excluded.value";
    transaction.prepare_cached(sql)?.execute(params![namespace, bucket, key, value])?;
    Ok(())
}

/// The bytes that an entry costs, if there is one.
fn size(
    transaction: &Transaction<'_>,
    namespace: &str,
    bucket: &str,
    key: &str,
) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT octet_length(bucket) + octet_length(key) + length(value) FROM entries \
        WHERE task = ?1 AND bucket = ?2 AND key = ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    let bytes =
        statement.query_row(params![namespace, bucket, key], |row| row.get::<_, i64>(0)).optional()?;
    Ok(bytes.map(|bytes| bytes + ENTRY_COST_BYTES))
}

/// Records that an entry cost `before` bytes and costs `after` now. Returns the bytes of the
/// namespace.
fn update_usage(
    transaction: &Transaction<'_>,
    namespace: &str,
    before: i64,
    after: i64,
) -> rusqlite::Result<i64> {
    let sql = "INSERT INTO usage (task, bytes) VALUES (?1, ?2) \
        ON CONFLICT (task) DO UPDATE SET bytes = bytes + ?2 RETURNING bytes";
    let mut statement = transaction.prepare_cached(sql)?;
    statement.query_row(params![namespace, after - before], |row| row.get(0))
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<KeyValueError> for Fault {
    fn from(error: KeyValueError) -> Self {
        Self::Refused(error)
    }
}

impl From<Fault> for KeyValueError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Sql(error) => {
                tracing::error!(%error, "an operation on the values of functions failed");
                Self::Failed(error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests;

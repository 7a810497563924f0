//! What functions keep between their calls: values by task, bucket and key, in a
//! file of their own beside the executions.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The longest key, in bytes.
const KEY_MAX_BYTES: usize = 1 << 10;
/// The longest value, in bytes.
const VALUE_MAX_BYTES: usize = 1 << 20;
/// Keys that one operation may name.
const KEYS_MAX: usize = 1_000;
/// Values that one operation reads together, in bytes.
const READ_MAX_BYTES: usize = 8 << 20;
/// What an entry takes beside its texts, in bytes. Without it a task that keeps
/// empty values would fill the disk at no cost to its bound.
const ENTRY_COST_BYTES: i64 = 128;
/// Keys that are listed at once.
const KEYS_AT_ONCE: i64 = 1_000;
/// Set for each connection: what is set is on the disk before the guest hears so.
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

/// The values of all tasks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyValues {
    /// One operation at a time: each takes microseconds to read, and a sync to write.
    connection: Arc<Mutex<Connection>>,
    /// What one task may keep, keys and values together.
    task_max_bytes: u64,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum KeyValueError {
    /// A key or value is longer than may be.
    #[error("a {what} has {bytes} bytes, at most {max} are kept")]
    TooLong {
        /// `key` or `value`.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// More keys at once than may be.
    #[error("{keys} keys were named at once, at most {max} may be")]
    TooManyKeys {
        /// How many.
        keys: usize,
        /// How many may be.
        max: usize,
    },
    /// More is read at once than may be.
    #[error("the values have more than {max_bytes} bytes together; read them in several calls")]
    TooMuch {
        /// The bound.
        max_bytes: usize,
    },
    /// The task keeps as much as it may.
    #[error("the task keeps {max_bytes} bytes, which is its bound; delete something first")]
    Full {
        /// The bound.
        max_bytes: u64,
    },
    /// What is kept under the key is no number, or would be none any more.
    #[error("the value is no whole number that can be added to")]
    NotANumber,
    /// The file cannot be read or written. The text is for the host's log.
    #[error("the host cannot keep values now")]
    Failed(String),
}

impl From<rusqlite::Error> for KeyValueError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(%error, "the file of values failed");
        Self::Failed(error.to_string())
    }
}

impl KeyValues {
    /// Opens the file in `directory`, or makes it. Blocks for a moment.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(directory: &Path, task_max_bytes: u64) -> Result<Self, KeyValueError> {
        let connection = Connection::open(directory.join("values.sqlite"))?;
        connection.execute_batch(PRAGMAS)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), task_max_bytes })
    }

    /// The values of keys, `None` for those that are not there.
    ///
    /// # Errors
    /// See [`KeyValueError`].
    pub async fn get(
        &self,
        owner: String,
        bucket: Arc<str>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Vec<u8>>>, KeyValueError> {
        bounded(keys.len())?;
        self.with(move |connection| {
            let sql = "SELECT value FROM entries WHERE task = ?1 AND bucket = ?2 AND key = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let mut found: Vec<Option<Vec<u8>>> = Vec::with_capacity(keys.len());
            let mut bytes = 0;
            for key in keys {
                if bytes > READ_MAX_BYTES {
                    return Err(KeyValueError::TooMuch { max_bytes: READ_MAX_BYTES });
                }
                bytes += found.last().and_then(Option::as_ref).map_or(0, Vec::len);
                found.push(statement.query_row(params![owner, bucket, key], |row| row.get(0)).optional()?);
            }
            Ok(found)
        })
        .await
    }

    /// Sets keys, all or none of them.
    ///
    /// # Errors
    /// See [`KeyValueError`].
    pub async fn set(
        &self,
        owner: String,
        bucket: Arc<str>,
        pairs: Vec<(String, Vec<u8>)>,
    ) -> Result<(), KeyValueError> {
        bounded(pairs.len())?;
        let max_bytes = self.task_max_bytes;
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            for (key, value) in pairs {
                put(&transaction, &owner, &bucket, &key, &value, max_bytes)?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Deletes keys, as far as they are there.
    ///
    /// # Errors
    /// See [`KeyValueError`].
    pub async fn delete(
        &self,
        owner: String,
        bucket: Arc<str>,
        keys: Vec<String>,
    ) -> Result<(), KeyValueError> {
        bounded(keys.len())?;
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            for key in keys {
                let before = size(&transaction, &owner, &bucket, &key)?;
                let sql = "DELETE FROM entries WHERE task = ?1 AND bucket = ?2 AND key = ?3";
                transaction.prepare_cached(sql)?.execute(params![owner, bucket, key])?;
                account(&transaction, &owner, before.unwrap_or(0), 0)?;
            }
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Some keys of a bucket, and where those after them begin, if there are any.
    ///
    /// # Errors
    /// See [`KeyValueError`].
    pub async fn keys(
        &self,
        owner: String,
        bucket: Arc<str>,
        after: u64,
    ) -> Result<(Vec<String>, Option<u64>), KeyValueError> {
        self.with(move |connection| {
            let sql = "SELECT id, key FROM entries WHERE task = ?1 AND bucket = ?2 AND id > ?3 ORDER BY id LIMIT ?4";
            let mut statement = connection.prepare_cached(sql)?;
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![owner, bucket, after, KEYS_AT_ONCE], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })?;
            let rows: Vec<(i64, String)> = rows.collect::<Result<_, _>>()?;
            let full = i64::try_from(rows.len()) == Ok(KEYS_AT_ONCE);
            let last = rows.last().and_then(|(id, _)| u64::try_from(*id).ok());
            Ok((rows.into_iter().map(|(_, key)| key).collect(), last.filter(|_| full)))
        })
        .await
    }

    /// Adds to a number, which is kept as decimal text and begins at 0.
    ///
    /// # Errors
    /// See [`KeyValueError`].
    pub async fn increment(
        &self,
        owner: String,
        bucket: Arc<str>,
        key: String,
        delta: u64,
    ) -> Result<u64, KeyValueError> {
        let max_bytes = self.task_max_bytes;
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            let sql = "SELECT value FROM entries WHERE task = ?1 AND bucket = ?2 AND key = ?3";
            let now: Option<Vec<u8>> = transaction
                .prepare_cached(sql)?
                .query_row(params![owner, bucket, key], |row| row.get(0))
                .optional()?;
            let now = match now {
                None => 0,
                Some(text) => std::str::from_utf8(&text)
                    .ok()
                    .and_then(|text| text.parse::<u64>().ok())
                    .ok_or(KeyValueError::NotANumber)?,
            };
            let next = now.checked_add(delta).ok_or(KeyValueError::NotANumber)?;
            put(&transaction, &owner, &bucket, &key, next.to_string().as_bytes(), max_bytes)?;
            transaction.commit()?;
            Ok(next)
        })
        .await
    }

    /// Forgets everything that a task kept.
    ///
    /// # Errors
    /// See [`KeyValueError`].
    pub async fn forget(&self, owner: String) -> Result<(), KeyValueError> {
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            transaction.execute("DELETE FROM entries WHERE task = ?1", params![owner])?;
            transaction.execute("DELETE FROM usage WHERE task = ?1", params![owner])?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Runs one operation on a thread that may block. An operation goes to its end
    /// though whoever waits for it goes away.
    async fn with<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Connection) -> Result<T, KeyValueError> + Send + 'static,
    ) -> Result<T, KeyValueError> {
        let mut connection = Arc::clone(&self.connection).lock_owned().await;
        let done = tokio::task::spawn_blocking(move || operation(&mut connection)).await;
        done.map_err(|error| KeyValueError::Failed(error.to_string()))?
    }
}

fn bounded(keys: usize) -> Result<(), KeyValueError> {
    if keys > KEYS_MAX { Err(KeyValueError::TooManyKeys { keys, max: KEYS_MAX }) } else { Ok(()) }
}

fn put(
    transaction: &Transaction<'_>,
    owner: &str,
    bucket: &str,
    key: &str,
    value: &[u8],
    max_bytes: u64,
) -> Result<(), KeyValueError> {
    for (what, bytes, max) in [("key", key.len(), KEY_MAX_BYTES), ("value", value.len(), VALUE_MAX_BYTES)] {
        if bytes > max {
            return Err(KeyValueError::TooLong { what, bytes, max });
        }
    }
    let before = size(transaction, owner, bucket, key)?.unwrap_or(0);
    let after = i64::try_from(bucket.len() + key.len() + value.len()).unwrap_or(i64::MAX) + ENTRY_COST_BYTES;
    let total = account(transaction, owner, before, after)?;
    if after > before && u64::try_from(total).unwrap_or(0) > max_bytes {
        return Err(KeyValueError::Full { max_bytes });
    }
    let sql = "INSERT INTO entries (task, bucket, key, value) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (task, bucket, key) DO UPDATE SET value = excluded.value";
    transaction.prepare_cached(sql)?.execute(params![owner, bucket, key, value])?;
    Ok(())
}

/// What an entry takes, if there is one.
fn size(
    transaction: &Transaction<'_>,
    owner: &str,
    bucket: &str,
    key: &str,
) -> Result<Option<i64>, KeyValueError> {
    let sql = "SELECT octet_length(bucket) + octet_length(key) + length(value) FROM entries \
        WHERE task = ?1 AND bucket = ?2 AND key = ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    let texts = statement.query_row(params![owner, bucket, key], |row| row.get::<_, i64>(0)).optional()?;
    Ok(texts.map(|texts| texts + ENTRY_COST_BYTES))
}

/// Notes that an entry took `before` bytes and takes `after`; what the task has now.
fn account(
    transaction: &Transaction<'_>,
    owner: &str,
    before: i64,
    after: i64,
) -> Result<i64, KeyValueError> {
    let sql = "INSERT INTO usage (task, bytes) VALUES (?1, ?2) \
        ON CONFLICT (task) DO UPDATE SET bytes = bytes + ?2 RETURNING bytes";
    let mut statement = transaction.prepare_cached(sql)?;
    Ok(statement.query_row(params![owner, after - before], |row| row.get(0))?)
}

#[cfg(test)]
mod tests;

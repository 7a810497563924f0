//! The file of the host's store. SQL alone fills it, so that a million records need
//! not be made one by one.

use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use std::path::Path;

/// The columns that all copies of a row share.
const SHARED: &str = "tenant, task_id, function, priority, accepted_at, started_at, completed_at, latest_start, \
    attempts_begun, claims, lost_workers, client_supplied_id, expired, dead_letter, redriven_as, error_code, error_message, \
    peak_memory_bytes, submission, attempts, outcome";

/// Opens the file with the settings of the host's store.
pub(crate) fn open(data: &Path) -> Result<Connection> {
    let connection = Connection::open(data.join("executions.db"))?;
    for (name, value) in [("journal_mode", "WAL"), ("synchronous", "FULL")] {
        connection.pragma_update(None, name, value)?;
    }
    connection.pragma_update(None, "cache_size", -(16_i64 << 10))?;
    Ok(connection)
}

/// Adds `count` copies of one record, in the same state, each with its own id;
/// returns the ids. A copy that is pending stays pending for a day.
pub(crate) fn multiply(data: &Path, id: &str, count: usize) -> Result<Vec<String>> {
    let mut connection = open(data)?;
    let transaction = connection.transaction()?;
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2), \
         last (number) AS (SELECT max(number) FROM executions) \
         INSERT INTO executions (number, id, state, not_before, {SHARED}) \
         SELECT last.number + n, printf('copy-%07d', n), state, \
             CASE state WHEN 0 THEN accepted_at + 86400000000000 END, {SHARED} \
         FROM numbers, last, executions WHERE executions.id = ?1"
    );
    let added = transaction.execute(&sql, rusqlite::params![id, i64::try_from(count)?])?;
    ensure!(added == count, "{added} copies of {id} were made instead of {count}");
    transaction.commit()?;
    Ok((1..=count).map(|n| format!("copy-{n:07}")).collect())
}

/// Inserts copies of an accepted record in groups and does nothing else; returns the
/// number of copies per second.
pub(crate) fn bare_inserts(data: &Path, group: usize, seconds: f64) -> Result<f64> {
    let mut connection = open(data)?;
    type Row = (String, String, String, i64, i64, Vec<u8>);
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Row> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
    };
    let sql = "SELECT tenant, task_id, function, accepted_at, number, submission FROM executions \
        ORDER BY number DESC LIMIT 1";
    let row = connection.query_row(sql, [], read).context("a record to copy")?;
    let (tenant, task_id, function, accepted_at, last, submission) = row;
    let insert = "INSERT INTO executions (number, tenant, id, task_id, function, state, priority, accepted_at, \
        not_before, latest_start, client_supplied_id, submission) VALUES (?1, ?2, ?3, ?4, ?5, 0, 1, ?6, ?7, NULL, 0, ?8)";
    let began = std::time::Instant::now();
    let mut number = last;
    while began.elapsed().as_secs_f64() < seconds {
        let transaction = connection.transaction()?;
        {
            let mut statement = transaction.prepare_cached(insert)?;
            for _ in 0..group {
                number += 1;
                let id = format!("exec-{number:026}");
                let at = accepted_at + number;
                statement
                    .execute(rusqlite::params![number, tenant, id, task_id, function, at, at, submission])?;
            }
        }
        transaction.commit()?;
    }
    Ok((number - last) as f64 / began.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilum_sqlite::{SqliteConfig, SqliteStore};
    use pilum_store::{Admission, ExecutionStore as _, Schedule, Store as _, Submission};
    use pilum_types::{ExecutionId, FunctionName, TaskId, TenantId};
    use std::time::Duration;

    #[tokio::test]
    async fn the_sql_here_follows_the_tables_of_the_store() {
        let directory = tempfile::tempdir().unwrap();
        let config = SqliteConfig { directory: directory.path().to_owned(), max_bytes: 1 << 30 };
        let store = SqliteStore::open(&config).unwrap();
        let submission = Submission {
            id: ExecutionId::parse("one").unwrap(),
            tenant: TenantId::default(),
            task_id: TaskId::parse("t").unwrap(),
            function: FunctionName::parse("f").unwrap(),
            parameters: Vec::new(),
            environment: [].into(),
            timeout: Duration::from_secs(1),
            max_retries: 0,
            force_new_instance: false,
            schedule: Schedule::default(),
            callback: None,
        };
        let admission = Admission { max_pending: 9, ..Admission::default() };
        store.submit(submission, admission, store.clock().now()).await.unwrap();
        drop(store);
        assert_eq!(multiply(directory.path(), "one", 3).unwrap().len(), 3);
        assert!(bare_inserts(directory.path(), 8, 0.01).unwrap() > 0.0);
        let pending = SqliteStore::open(&config).unwrap().stats().await.unwrap().pending;
        assert!(pending >= 4 + 8, "{pending}");
    }
}

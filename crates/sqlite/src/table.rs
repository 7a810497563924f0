//! The record table in SQL.

use crate::error::{failed, is_fatal};
use crate::stored::{self, nanos, time, unreadable};
use pilum_store::logic::{CLIENT_SUPPLIED_ID_RETENTION, Record, RecordTable, RemovedCounts};
use pilum_store::{Execution, Expiry, ListQuery, Mode, StoreError, Summary, Task};
use pilum_types::{ExecutionId, Failure, FunctionName, State, TaskId, TenantId};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};
use std::sync::Arc;
use std::time::SystemTime;

/// Submissions and outcomes with more bytes than this are stored outside of their rows. So
/// listings and expiry do not read them, and a change of the row does not write them again.
const IN_ROW_MAX_BYTES: usize = 16 << 10;

/// All columns of a record, in the order in which [`read_record`] expects them.
const COLUMNS: &str = "number, tenant, id, task_id, function, state, accepted_at, started_at, completed_at, \
    not_before, latest_start, lost_workers, client_supplied_id, expired, dead_letter, redriven_as, submission, attempts, \
    outcome, claims";

/// The tables, as the writer changes them.
#[derive(Debug)]
pub(crate) struct SqlTable<'a> {
    pub(crate) connection: &'a Connection,
    /// See [`RecordTable::bytes`].
    pub(crate) bytes: (u64, u64),
    /// Set by an error after which the store can keep no promise.
    pub(crate) fatal_failure: Option<String>,
}

impl SqlTable<'_> {
    /// Stores a task.
    pub(crate) fn put_task(&mut self, task: &Task) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO tasks (tenant, id, task) VALUES (?1, ?2, ?3)";
        let blob = stored::write_task(task)?;
        self.change(sql, params![task.tenant.as_str(), task.id.as_str(), blob]).map(drop)
    }

    /// Removes a task.
    pub(crate) fn remove_task(&mut self, tenant: &TenantId, id: &TaskId) -> Result<(), StoreError> {
        let sql = "DELETE FROM tasks WHERE tenant = ?1 AND id = ?2";
        self.change(sql, params![tenant.as_str(), id.as_str()]).map(drop)
    }

    /// Passes every execution that has not ended to `each`, in order of submission.
    pub(crate) fn each_active(
        &mut self,
        mut each: impl FnMut(Record) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM executions INDEXED BY executions_active WHERE state < 2 ORDER BY number"
        );
        let mut statement = self.connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            each(read_record(self.connection, row)?)?;
        }
        Ok(())
    }

    /// Every callback that is to be delivered: its number, its tries, and when it is due.
    pub(crate) fn callbacks(&self) -> Result<Vec<(u64, u32, SystemTime)>, StoreError> {
        let mut statement =
            self.connection.prepare("SELECT number, tries, at FROM callbacks").map_err(failed)?;
        let read = |row: &Row<'_>| Ok((number(row, 0)?, row.get(1)?, time(row.get(2)?)));
        let rows = statement.query_map([], read).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }

    /// How many dead letters there are.
    pub(crate) fn count_dead_letters(&self) -> Result<usize, StoreError> {
        let sql = "SELECT count(*) FROM executions INDEXED BY executions_dead WHERE dead_letter = 1";
        let count: i64 = self.connection.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// The highest number of an execution.
    pub(crate) fn last_number(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(max(number), 0) FROM executions";
        self.connection.query_row(sql, [], |row| number(row, 0)).map_err(failed)
    }

    /// Reads how many bytes are in use.
    pub(crate) fn measure(&self) -> Result<u64, StoreError> {
        let pragma = |sql: &str| -> Result<u64, StoreError> {
            let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
            statement.query_row([], |row| number(row, 0)).map_err(failed)
        };
        let used = pragma("PRAGMA page_count")?.saturating_sub(pragma("PRAGMA freelist_count")?);
        Ok(used.saturating_mul(pragma("PRAGMA page_size")?))
    }

    fn change(&mut self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        let changed = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(params));
        changed.map_err(|error| self.store_error(error))
    }

    /// Converts an error of SQLite, and records it if it is fatal.
    fn store_error(&mut self, error: rusqlite::Error) -> StoreError {
        if is_fatal(&error) {
            self.fatal_failure = Some(error.to_string());
        }
        failed(error)
    }

    /// Deletes executions and everything that belongs to them.
    fn delete(&mut self, numbers: &[u64]) -> Result<(), StoreError> {
        for number in numbers {
            let number = *number as i64;
            self.change("DELETE FROM submissions WHERE number = ?1", [number])?;
            self.change("DELETE FROM outcomes WHERE number = ?1", [number])?;
            self.change("DELETE FROM callbacks WHERE number = ?1", [number])?;
            self.change("DELETE FROM executions WHERE number = ?1", [number])?;
        }
        Ok(())
    }

    fn numbers(&mut self, sql: &str, params: impl Params) -> Result<Vec<(u64, bool)>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let read = |row: &Row<'_>| Ok((number(row, 0)?, row.get(1)?));
        let rows = statement.query_map(params, read).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }
}

impl RecordTable for SqlTable<'_> {
    fn find(&mut self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Record>, StoreError> {
        find(self.connection, tenant, id)
    }

    fn load(&mut self, number: u64) -> Result<Option<Record>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM executions WHERE number = ?1");
        record(self.connection, &sql, [number as i64])
    }

    fn insert(&mut self, record: &Record) -> Result<(), StoreError> {
        let submission = &record.submission;
        let (in_row, outside) = split_by_size(stored::write_submission(submission)?);
        let sql = "INSERT INTO executions (number, tenant, id, task_id, function, state, priority, accepted_at, \
            not_before, latest_start, client_supplied_id, submission) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11)";
        let params = params![
            record.number as i64,
            submission.tenant.as_str(),
            submission.id.as_str(),
            submission.task_id.as_str(),
            submission.function.as_str(),
            stored::priority_number(submission.schedule.priority),
            nanos(record.execution.accepted_at),
            record.not_before.map(nanos),
            record.latest_start.map(nanos),
            record.client_supplied_id,
            in_row,
        ];
        self.change(sql, params)?;
        if let Some(blob) = outside {
            let sql = "INSERT INTO submissions (number, submission) VALUES (?1, ?2)";
            self.change(sql, params![record.number as i64, blob])?;
        }
        Ok(())
    }

    fn update(&mut self, record: &Record) -> Result<(), StoreError> {
        let execution = &record.execution;
        let attempts = stored::write_attempts(&execution.attempts)?;
        let number = record.number as i64;
        let Some(outcome) = &execution.outcome else {
            // The common case is a claim or a retry: the columns of an end stay untouched.
            let sql = "UPDATE executions SET state = ?2, started_at = ?3, not_before = ?4, attempts_begun = ?5, \
                lost_workers = ?6, attempts = ?7, claims = ?8 WHERE number = ?1";
            let params = params![
                number,
                state_number(execution.state),
                execution.started_at.map(nanos),
                record.not_before.map(nanos),
                execution.attempts_begun(),
                record.lost_workers,
                attempts,
                record.claims,
            ];
            return self.change(sql, params).map(drop);
        };
        let blob = stored::write_outcome(outcome)?;
        let (in_row, outside) = split_by_size(blob);
        let failure = execution.failure();
        let sql = "UPDATE executions SET state = ?2, started_at = ?3, completed_at = ?4, not_before = NULL, \
            attempts_begun = ?5, lost_workers = ?6, dead_letter = ?7, redriven_as = ?8, error_code = ?9, \
            error_message = ?10, peak_memory_bytes = ?11, attempts = ?12, outcome = ?13 WHERE number = ?1";
        let params = params![
            number,
            state_number(execution.state),
            execution.started_at.map(nanos),
            execution.completed_at.map(nanos),
            execution.attempts_begun(),
            record.lost_workers,
            execution.is_dead_letter,
            record.redriven_as.as_ref().map(ExecutionId::as_str),
            failure.map(|failure| failure.code.as_str()),
            failure.map(|failure| failure.message.as_str()),
            outcome.usage.peak_memory_bytes as i64,
            attempts,
            in_row,
        ];
        self.change(sql, params)?;
        if let Some(blob) = outside {
            let sql = "INSERT OR REPLACE INTO outcomes (number, outcome) VALUES (?1, ?2)";
            self.change(sql, params![number, blob])?;
        }
        Ok(())
    }

    fn put_callback(&mut self, number: u64, tries: u32, at: SystemTime) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO callbacks (number, tries, at) VALUES (?1, ?2, ?3)";
        self.change(sql, params![number as i64, tries, nanos(at)]).map(drop)
    }

    fn remove_callback(&mut self, number: u64) -> Result<(), StoreError> {
        self.change("DELETE FROM callbacks WHERE number = ?1", [number as i64]).map(drop)
    }

    fn expire(&mut self, expiry: Expiry, now: SystemTime, batch: usize) -> Result<RemovedCounts, StoreError> {
        let batch = i64::try_from(batch).unwrap_or(i64::MAX);
        // An id that a client supplied stays known for some time after its result has expired.
        let kept_since = now.checked_sub(CLIENT_SUPPLIED_ID_RETENTION).unwrap_or(now);
        let is_kept = "client_supplied_id = 1 AND accepted_at > ?2";
        let ended = format!(
            "SELECT number, {is_kept} FROM executions INDEXED BY executions_ended \
             WHERE completed_at IS NOT NULL AND dead_letter = 0 AND expired = 0 AND completed_at < ?1 \
             ORDER BY completed_at LIMIT ?3"
        );
        let dead = format!(
            "SELECT number, {is_kept} FROM executions INDEXED BY executions_dead_ended \
             WHERE dead_letter = 1 AND completed_at < ?1 ORDER BY completed_at LIMIT ?3"
        );
        let ids = "SELECT number, 0 FROM executions INDEXED BY executions_expired \
             WHERE expired = 1 AND accepted_at <= ?1 ORDER BY accepted_at LIMIT ?2";
        let kept_since = nanos(kept_since);
        let mut expired = self.numbers(&ended, params![nanos(expiry.ended_before), kept_since, batch])?;
        let dead = self.numbers(&dead, params![nanos(expiry.dead_letters_before), kept_since, batch])?;
        let dead_letters = dead.len();
        expired.extend(dead);
        let executions = expired.len();
        expired.extend(self.numbers(ids, params![kept_since, batch])?);
        let (kept, removed): (Vec<_>, Vec<_>) = expired.into_iter().partition(|(_, is_kept)| *is_kept);
        for (number, _) in kept {
            let sql = "UPDATE executions SET expired = 1, dead_letter = 0, error_message = NULL, attempts = NULL, \
                outcome = NULL WHERE number = ?1";
            self.change(sql, [number as i64])?;
            self.change("DELETE FROM outcomes WHERE number = ?1", [number as i64])?;
            self.change("DELETE FROM callbacks WHERE number = ?1", [number as i64])?;
        }
        self.delete(&removed.into_iter().map(|(number, _)| number).collect::<Vec<_>>())?;
        Ok(RemovedCounts { executions, dead_letters })
    }

    fn remove_ended(
        &mut self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<RemovedCounts, StoreError> {
        let sql = "SELECT number, dead_letter FROM executions WHERE tenant = ?1 AND task_id = ?2 AND state >= 2 \
            AND expired = 0 LIMIT ?3";
        let batch = i64::try_from(batch).unwrap_or(i64::MAX);
        let ended = self.numbers(sql, params![tenant.as_str(), task_id.as_str(), batch])?;
        let dead_letters = ended.iter().filter(|(_, is_dead_letter)| *is_dead_letter).count();
        let numbers: Vec<u64> = ended.into_iter().map(|(number, _)| number).collect();
        self.delete(&numbers)?;
        Ok(RemovedCounts { executions: numbers.len(), dead_letters })
    }

    fn bytes(&self) -> (u64, u64) {
        self.bytes
    }
}

/// The record with this id, even if it has expired.
pub(crate) fn find(
    connection: &Connection,
    tenant: &TenantId,
    id: &ExecutionId,
) -> Result<Option<Record>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM executions WHERE tenant = ?1 AND id = ?2");
    record(connection, &sql, params![tenant.as_str(), id.as_str()])
}

/// A tenant's executions in ascending order of id.
pub(crate) fn list(
    connection: &Connection,
    tenant: &TenantId,
    query: &ListQuery,
) -> Result<Vec<Summary>, StoreError> {
    let is_active = query.state.is_some_and(|state| !state.is_terminal());
    // Active executions are few, compared with those that have ended.
    let index = if is_active { "INDEXED BY executions_active" } else { "" };
    let mut sql = format!(
        "SELECT id, task_id, function, priority, state, accepted_at, started_at, completed_at, \
         attempts_begun, error_code, error_message, peak_memory_bytes, dead_letter FROM executions {index} \
         WHERE tenant = ?1 AND id > ?2 AND expired = 0"
    );
    if query.task_id.is_some() {
        sql.push_str(" AND task_id = ?3");
    }
    if is_active {
        sql.push_str(" AND state < 2");
    }
    if query.state.is_some() {
        sql.push_str(" AND state = ?4");
    }
    if query.dead_letters {
        sql.push_str(" AND dead_letter = 1");
    }
    sql.push_str(" ORDER BY id LIMIT ?5");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    // Every numbered parameter up to the highest must be bound.
    let params = params![
        tenant.as_str(),
        query.start_after.as_ref().map_or("", ExecutionId::as_str),
        query.task_id.as_ref().map(TaskId::as_str),
        query.state.map(state_number),
        i64::try_from(query.limit).unwrap_or(i64::MAX),
    ];
    let mut rows = statement.query(params).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(read_summary(row)?);
    }
    Ok(found)
}

/// All tasks.
pub(crate) fn tasks(connection: &Connection) -> Result<Vec<Task>, StoreError> {
    let mut statement = connection.prepare("SELECT tenant, id, task FROM tasks").map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut tasks = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let tenant = TenantId::parse(text(row, 0)?).map_err(|error| unreadable(&error))?;
        let id = TaskId::parse(text(row, 1)?).map_err(|error| unreadable(&error))?;
        tasks.push(stored::read_task(blob(row, 2)?, tenant, id)?);
    }
    Ok(tasks)
}

fn record(connection: &Connection, sql: &str, params: impl Params) -> Result<Option<Record>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else { return Ok(None) };
    let mut record = read_record(connection, row)?;
    let is_outside =
        record.execution.state.is_terminal() && record.execution.outcome.is_none() && !record.expired;
    if is_outside {
        let blob = read_outside(connection, "SELECT outcome FROM outcomes WHERE number = ?1", record.number)?;
        record.execution.outcome = blob.as_deref().map(stored::read_outcome).transpose()?.map(Arc::new);
    }
    Ok(Some(record))
}

/// A blob that is stored outside of its row.
fn read_outside(connection: &Connection, sql: &str, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    statement.query_row([number as i64], |row| row.get(0)).optional().map_err(failed)
}

/// A blob for inside the row, or one for outside of it.
fn split_by_size(blob: Vec<u8>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    if blob.len() > IN_ROW_MAX_BYTES { (None, Some(blob)) } else { (Some(blob), None) }
}

fn read_record(connection: &Connection, row: &Row<'_>) -> Result<Record, StoreError> {
    let id = ExecutionId::parse(text(row, 2)?).map_err(|error| unreadable(&error))?;
    let tenant = TenantId::parse(text(row, 1)?).map_err(|error| unreadable(&error))?;
    let task_id = TaskId::parse(text(row, 3)?).map_err(|error| unreadable(&error))?;
    let function = FunctionName::parse(text(row, 4)?).map_err(|error| unreadable(&error))?;
    let names = (tenant, id, task_id, function);
    let submission = match optional_blob(row, 16)? {
        Some(blob) => stored::read_submission(blob, names)?,
        None => {
            let sql = "SELECT submission FROM submissions WHERE number = ?1";
            let blob = read_outside(connection, sql, number(row, 0).map_err(failed)?)?;
            stored::read_submission(&blob.ok_or_else(|| unreadable(&"a submission is missing"))?, names)?
        }
    };
    let accepted_at = time(get(row, 6)?);
    let attempts = optional_blob(row, 17)?.map(stored::read_attempts).transpose()?;
    let redriven_as: Option<String> = get(row, 15)?;
    let execution = Execution {
        state: state_of(get(row, 5)?)?,
        started_at: optional_time(row, 7)?,
        completed_at: optional_time(row, 8)?,
        attempts: attempts.unwrap_or_default(),
        outcome: optional_blob(row, 18)?.map(stored::read_outcome).transpose()?.map(Arc::new),
        is_dead_letter: get(row, 14)?,
        ..submission.pending(accepted_at)
    };
    Ok(Record {
        number: number(row, 0).map_err(failed)?,
        submission,
        execution,
        not_before: optional_time(row, 9)?,
        latest_start: optional_time(row, 10)?,
        claims: get(row, 19)?,
        lost_workers: get(row, 11)?,
        client_supplied_id: get(row, 12)?,
        expired: get(row, 13)?,
        redriven_as: redriven_as
            .map(|id| ExecutionId::parse(&id))
            .transpose()
            .map_err(|error| unreadable(&error))?,
    })
}

fn read_summary(row: &Row<'_>) -> Result<Summary, StoreError> {
    let code: Option<String> = get(row, 9)?;
    let message: Option<String> = get(row, 10)?;
    let failure = match code {
        Some(code) => Some(Failure { code: stored::code_of(&code)?, message: message.unwrap_or_default() }),
        None => None,
    };
    Ok(Summary {
        id: ExecutionId::parse(text(row, 0)?).map_err(|error| unreadable(&error))?,
        task_id: TaskId::parse(text(row, 1)?).map_err(|error| unreadable(&error))?,
        function: FunctionName::parse(text(row, 2)?).map_err(|error| unreadable(&error))?,
        mode: Mode::Async,
        priority: stored::priority_of(get(row, 3)?),
        state: state_of(get(row, 4)?)?,
        accepted_at: time(get(row, 5)?),
        started_at: optional_time(row, 6)?,
        completed_at: optional_time(row, 7)?,
        attempts: get(row, 8)?,
        failure,
        peak_memory_bytes: number(row, 11).map_err(failed)?,
        is_dead_letter: get(row, 12)?,
    })
}

fn get<T: rusqlite::types::FromSql>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    row.get(column).map_err(failed)
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.try_into().unwrap_or(0))
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, StoreError> {
    let value = row.get_ref(column).map_err(failed)?;
    value.as_str().map_err(|error| unreadable(&error))
}

fn blob<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8], StoreError> {
    optional_blob(row, column)?.ok_or_else(|| unreadable(&"a column is empty"))
}

fn optional_blob<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a [u8]>, StoreError> {
    match row.get_ref(column).map_err(failed)? {
        ValueRef::Null => Ok(None),
        value => value.as_blob().map(Some).map_err(|error| unreadable(&error)),
    }
}

fn optional_time(row: &Row<'_>, column: usize) -> Result<Option<SystemTime>, StoreError> {
    Ok(get::<Option<i64>>(row, column)?.map(time))
}

fn state_number(state: State) -> i64 {
    match state {
        State::Pending => 0,
        State::Running => 1,
        State::Completed => 2,
        State::Failed => 3,
        State::Cancelled => 4,
        State::Timeout => 5,
    }
}

fn state_of(number: i64) -> Result<State, StoreError> {
    let known = State::ALL.into_iter().find(|state| state_number(*state) == number);
    known.ok_or_else(|| unreadable(&format_args!("no state has the number {number}")))
}

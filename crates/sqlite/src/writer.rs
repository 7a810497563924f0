//! The writer: a thread that makes changes in groups, and answers each change once its
//! group is on the disk.
//!
//! Changes that arrive while one group is written form the next group. So a busy store needs
//! one sync per group, and an idle store does not wait for further changes.

use crate::clock_checkpoint::ClockCheckpoint;
use crate::error::{failed, is_fatal};
use crate::table::SqlTable;
use pilum_store::fail_point;
use pilum_store::lock::lock;
use pilum_store::logic::{Record, StoreLogic};
use pilum_store::{Clock, StoreError};
use pilum_types::State;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{mpsc, oneshot, watch};

/// The most changes in a group. Beyond this the sync costs little per change.
const GROUP_MAX: usize = 512;
/// How long the writer adds changes to a group at most, so that its first change does not wait long.
const GROUP_TIME: Duration = Duration::from_millis(2);
/// How many changes wait for the writer. Callers with further changes wait to send them.
pub(crate) const CHANGES_WAITING_MAX: usize = 4096;
/// After this many pages (16 MiB) the write-ahead log is copied into the file.
const CHECKPOINT_PAGES: i64 = 4096;
/// The length of a lease that is restored after a failed group.
const RESTORED_LEASE: Duration = Duration::from_secs(30);

/// The state that the writer and its callers share. The counters are read by statistics.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Held by the writer while it makes one change, which reads and writes pages of the file
    /// but does not wait for a sync; and by callers that ask for statistics or a queue
    /// position.
    pub(crate) logic: Mutex<StoreLogic>,
    pub(crate) bytes: AtomicU64,
    pub(crate) max_bytes: u64,
    pub(crate) commits: AtomicU64,
    pub(crate) changes: AtomicU64,
    /// The failure after which the store can keep no promise, once there is one.
    pub(crate) fatal_failure: watch::Sender<Option<String>>,
}

/// A change that waits for the writer.
pub(crate) trait PendingChange: Send {
    /// Makes the change. An error undoes the whole group.
    fn make(&mut self, logic: &mut StoreLogic, table: &mut SqlTable<'_>) -> Result<(), StoreError>;
    /// Answers the caller, once the group was committed or has failed.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A change that a closure makes.
pub(crate) struct Change<F, T> {
    make: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// The state of the writer's thread.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) checkpoint: ClockCheckpoint,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
    pub(crate) changes: mpsc::Receiver<Box<dyn PendingChange>>,
}

/// Reports a fatal failure if the writer's thread panics.
struct FatalOnPanic<'a>(&'a Shared);

impl<F, T> Change<F, T>
where
    F: FnOnce(&mut StoreLogic, &mut SqlTable<'_>) -> Result<T, StoreError>,
{
    pub(crate) fn new(make: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { make: Some(make), result: None, reply }, answer)
    }
}

impl<F, T> PendingChange for Change<F, T>
where
    F: FnOnce(&mut StoreLogic, &mut SqlTable<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn make(&mut self, logic: &mut StoreLogic, table: &mut SqlTable<'_>) -> Result<(), StoreError> {
        let Some(make) = self.make.take() else { return Ok(()) };
        match make(logic, table) {
            // A lost lease concerns only this change, not the group.
            Err(error @ (StoreError::StorageFull(_) | StoreError::Failed(_))) => Err(error),
            result @ (Ok(_) | Err(StoreError::LeaseLost(_))) => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (committed, self.result) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Failed("the change was not made".to_owned())),
        };
        // The caller may have stopped waiting. The change is made even then.
        let _ = self.reply.send(result);
    }
}

impl Writer {
    /// Runs until the store is dropped, or until it can keep no promise any more.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _guard = FatalOnPanic(&shared);
        while let Some(first) = self.changes.blocking_recv() {
            self.write_group(first);
            if self.shared.fatal_failure.borrow().is_some() {
                // The channel closes, so the callers that wait get an error.
                return;
            }
            if self.log_pages() >= CHECKPOINT_PAGES {
                self.checkpoint("PASSIVE");
            }
        }
        self.checkpoint("TRUNCATE");
    }

    fn write_group(&mut self, first: Box<dyn PendingChange>) {
        let mut made = Vec::new();
        let committed = self.commit_group(first, &mut made);
        fail_point::reach("store.written");
        if committed.is_err() {
            self.undo();
        }
        for change in made {
            change.answer(committed.clone());
        }
    }

    fn commit_group(
        &mut self,
        first: Box<dyn PendingChange>,
        made: &mut Vec<Box<dyn PendingChange>>,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        let Self { connection, checkpoint, clock, shared, changes } = self;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| store_error(shared, error))?;
        let bytes = (shared.bytes.load(Ordering::Relaxed), shared.max_bytes);
        let before = connection.total_changes();
        let mut table = SqlTable { connection, bytes, fatal_failure: None };
        let mut next = Some(first);
        while let Some(mut change) = next {
            let result = change.make(&mut lock(&shared.logic), &mut table);
            made.push(change);
            if let Some(failure) = table.fatal_failure.take() {
                shared.fatal_failure.send_replace(Some(failure));
            }
            result?;
            let may_grow = made.len() < GROUP_MAX && began.elapsed() < GROUP_TIME;
            next = if may_grow { changes.try_recv().ok() } else { None };
        }
        if connection.total_changes() == before {
            // Nothing was changed, so there is nothing to sync.
            return connection.execute_batch("COMMIT").map_err(|error| store_error(shared, error));
        }
        checkpoint.record(connection, clock.now()).map_err(|error| store_error(shared, error))?;
        let used = SqlTable { connection, bytes, fatal_failure: None }.measure()?;
        fail_point::reach("store.commit");
        connection.execute_batch("COMMIT").map_err(|error| store_error(shared, error))?;
        shared.bytes.store(used, Ordering::Relaxed);
        shared.commits.fetch_add(1, Ordering::Relaxed);
        shared.changes.fetch_add(made.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Undoes a group that failed, in the file and in memory.
    fn undo(&mut self) {
        // After some errors SQLite has rolled the transaction back by itself.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            let _ = store_error(&self.shared, error);
        }
        let now = self.clock.now();
        let mut table = SqlTable { connection: &self.connection, bytes: (0, 0), fatal_failure: None };
        let loaded = load(&mut table, now, |logic, record, _| {
            // Its worker is alive and holds the token of this claim.
            logic.scheduler.lease(record, now + RESTORED_LEASE);
            Ok(())
        });
        match loaded {
            Ok(mut logic) => {
                let mut old = lock(&self.shared.logic);
                // Callbacks under delivery stay so: their deliverer still reports the result.
                logic.delivering = std::mem::take(&mut old.delivering);
                let delivering = &logic.delivering;
                logic.callbacks.retain(|(_, number), _| !delivering.contains(number));
                logic.last_number = logic.last_number.max(old.last_number);
                *old = logic;
            }
            Err(error) => {
                self.shared
                    .fatal_failure
                    .send_replace(Some(format!("a failed change cannot be undone: {error}")));
            }
        }
    }

    /// How many pages of the log are not in the file yet.
    fn log_pages(&self) -> i64 {
        let pages = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?);
        let asked = self.connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)");
        asked.and_then(|mut statement| statement.query_row([], pages)).unwrap_or(0)
    }

    /// Copies the log into the file.
    fn checkpoint(&mut self, mode: &str) {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let done = self.connection.query_row(&sql, [], |_| Ok(()));
        if let Err(error) = done {
            tracing::warn!(%error, "the store's log was not copied into its file");
            let _ = store_error(&self.shared, error);
        }
    }
}

/// Builds the logic's state from the tables. `running` decides what happens to executions
/// that run according to the tables.
pub(crate) fn load(
    table: &mut SqlTable<'_>,
    now: SystemTime,
    mut running: impl FnMut(&mut StoreLogic, Record, &mut Vec<Record>) -> Result<(), StoreError>,
) -> Result<StoreLogic, StoreError> {
    let mut logic = StoreLogic::after(table.last_number()?);
    let mut changed = Vec::new();
    table.each_active(|record| {
        if record.execution.state == State::Running {
            return running(&mut logic, record, &mut changed);
        }
        logic.scheduler.enqueue(&record, now);
        Ok(())
    })?;
    logic.dead_letters = table.count_dead_letters()?;
    logic.callbacks =
        table.callbacks()?.into_iter().map(|(number, tries, at)| ((at, number), tries)).collect();
    for record in changed {
        logic.put_back_or_end(table, record, now)?;
    }
    Ok(logic)
}

/// Converts an error of SQLite, and records it if it is fatal.
fn store_error(shared: &Shared, error: rusqlite::Error) -> StoreError {
    if is_fatal(&error) {
        shared.fatal_failure.send_replace(Some(error.to_string()));
    }
    failed(error)
}

impl Drop for FatalOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fatal_failure.send_replace(Some("the writer panicked".to_owned()));
        }
    }
}

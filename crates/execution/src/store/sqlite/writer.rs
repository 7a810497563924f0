//! The one writer: a thread that takes what is to be changed, does it in groups,
//! and answers once the group is on the disk.
//!
//! While one group is being written the next gathers, so a busy store pays for
//! one fsync a group and an idle one waits for nothing.

use super::anchor::Anchor;
use super::error::{failed, is_fatal};
use super::rows::SqlRows;
use crate::failpoint;
use crate::lock::lock;
use crate::store::machine::Machine;
use crate::store::record::Record;
use crate::{Clock, StoreError};
use pilum_types::State;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// Changes written at once at most: beyond this the fsync no longer counts.
const GROUP_MAX: usize = 512;
/// How long a group gathers at most, so that its first change is not kept waiting.
const GROUP_TIME: Duration = Duration::from_millis(2);
/// Changes that wait for the writer; those who bring more wait to hand them in.
pub(super) const JOBS_MAX: usize = 4096;
/// Pages of the log after which it is brought into the file: 16 MiB.
const CHECKPOINT_PAGES: i64 = 4096;
/// How long a lease lasts anew whose end was forgotten with a group that failed.
const LEASE_ANEW: Duration = Duration::from_secs(30);

/// What the writer and its callers share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Held by the writer while it makes one change, which reads and writes the
    /// file's pages but does not wait for a sync, and by those who ask for the
    /// depth or a place in the queue.
    pub(super) machine: Mutex<Machine>,
    pub(super) bytes: AtomicU64,
    pub(super) max_bytes: u64,
    pub(super) commits: AtomicU64,
    pub(super) changes: AtomicU64,
    /// Why nothing can be promised any more, once that is so.
    pub(super) broken: watch::Sender<Option<String>>,
}

/// Something to be changed.
pub(super) trait Job: Send {
    /// Does it. What fails here undoes the whole group.
    fn run(&mut self, machine: &mut Machine, rows: &mut SqlRows<'_>) -> Result<(), StoreError>;
    /// Tells who asked.
    fn answer(self: Box<Self>, written: Result<(), StoreError>);
}

/// A change made by a closure.
pub(super) struct Change<F, T> {
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Change<F, T>
where
    F: FnOnce(&mut Machine, &mut SqlRows<'_>) -> Result<T, StoreError>,
{
    pub(super) fn new(work: F) -> (Self, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work: Some(work), result: None, reply }, answer)
    }
}

impl<F, T> Job for Change<F, T>
where
    F: FnOnce(&mut Machine, &mut SqlRows<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, machine: &mut Machine, rows: &mut SqlRows<'_>) -> Result<(), StoreError> {
        let Some(work) = self.work.take() else { return Ok(()) };
        match work(machine, rows) {
            // Whose lease it is concerns nobody else in the group.
            Err(error @ (StoreError::NoSpace(_) | StoreError::Failed(_))) => Err(error),
            result @ (Ok(_) | Err(StoreError::Stale(_))) => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn answer(self: Box<Self>, written: Result<(), StoreError>) {
        let result = match (written, self.result) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(StoreError::Failed("the change was not made".to_owned())),
        };
        // Who asked may have gone; the change stands all the same.
        let _ = self.reply.send(result);
    }
}

/// The thread's own.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) anchor: Anchor,
    pub(super) clock: Clock,
    pub(super) shared: Arc<Shared>,
    pub(super) jobs: mpsc::Receiver<Box<dyn Job>>,
}

impl Writer {
    /// Runs until nobody can bring anything more, or nothing can be promised.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _guard = BreakOnPanic(&shared);
        while let Some(first) = self.jobs.blocking_recv() {
            self.group(first);
            if self.shared.broken.borrow().is_some() {
                // Those that wait hear of it as the channel closes.
                return;
            }
            if self.log_pages() >= CHECKPOINT_PAGES {
                self.checkpoint("PASSIVE");
            }
        }
        self.checkpoint("TRUNCATE");
    }

    fn group(&mut self, first: Box<dyn Job>) {
        let mut done = Vec::new();
        let written = self.write(first, &mut done);
        failpoint::reach("store.written");
        if written.is_err() {
            self.undo();
        }
        for job in done {
            job.answer(written.clone());
        }
    }

    fn write(&mut self, first: Box<dyn Job>, done: &mut Vec<Box<dyn Job>>) -> Result<(), StoreError> {
        let began = Instant::now();
        let Self { connection, anchor, clock, shared, jobs, .. } = self;
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| note(shared, error))?;
        let bytes = (shared.bytes.load(Ordering::Relaxed), shared.max_bytes);
        let before = connection.total_changes();
        let mut rows = SqlRows { connection, bytes, fatal: None };
        let mut next = Some(first);
        while let Some(mut job) = next {
            let ran = job.run(&mut lock(&shared.machine), &mut rows);
            done.push(job);
            if let Some(fatal) = rows.fatal.take() {
                shared.broken.send_replace(Some(fatal));
            }
            ran?;
            let may_grow = done.len() < GROUP_MAX && began.elapsed() < GROUP_TIME;
            next = if may_grow { jobs.try_recv().ok() } else { None };
        }
        if connection.total_changes() == before {
            // Nothing to write, nothing to wait for.
            return connection.execute_batch("COMMIT").map_err(|error| note(shared, error));
        }
        anchor.drop_at(connection, clock.now()).map_err(|error| note(shared, error))?;
        let used = SqlRows { connection, bytes, fatal: None }.measure()?;
        failpoint::reach("store.commit");
        connection.execute_batch("COMMIT").map_err(|error| note(shared, error))?;
        shared.bytes.store(used, Ordering::Relaxed);
        shared.commits.fetch_add(1, Ordering::Relaxed);
        shared.changes.fetch_add(done.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Undoes a group that failed, in the file and in memory.
    fn undo(&mut self) {
        // After some errors SQLite has rolled back by itself.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            let _ = note(&self.shared, error);
        }
        let now = self.clock.now();
        let mut rows = SqlRows { connection: &self.connection, bytes: (0, 0), fatal: None };
        let loaded = load(&mut rows, now, |machine, record, _| {
            // Its worker is alive and holds the token of this very attempt.
            machine.board.lease(record, now + LEASE_ANEW);
            Ok(())
        });
        match loaded {
            Ok(mut machine) => {
                let mut old = lock(&self.shared.machine);
                // What is being delivered is answered for by who does it.
                machine.delivering = std::mem::take(&mut old.delivering);
                let delivering = &machine.delivering;
                machine.callbacks.retain(|(_, number), _| !delivering.contains(number));
                machine.number = machine.number.max(old.number);
                *old = machine;
            }
            Err(error) => {
                self.shared.broken.send_replace(Some(format!("a failed change cannot be undone: {error}")));
            }
        }
    }

    /// Pages in the log that are not in the file yet.
    fn log_pages(&self) -> i64 {
        let pages = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?);
        let asked = self.connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)");
        asked.and_then(|mut statement| statement.query_row([], pages)).unwrap_or(0)
    }

    /// Brings the log into the file.
    fn checkpoint(&mut self, mode: &str) {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        let done = self.connection.query_row(&sql, [], |_| Ok(()));
        if let Err(error) = done {
            tracing::warn!(%error, "the store's log was not brought into its file");
            let _ = note(&self.shared, error);
        }
    }
}

/// The memory of a store from what it keeps. `running` says what becomes of
/// executions that run according to the file.
pub(super) fn load(
    rows: &mut SqlRows<'_>,
    now: std::time::SystemTime,
    mut running: impl FnMut(&mut Machine, Record, &mut Vec<Record>) -> Result<(), StoreError>,
) -> Result<Machine, StoreError> {
    let mut machine = Machine::after(rows.last_number()?);
    let mut changed = Vec::new();
    rows.each_active(|record| {
        if record.execution.state == State::Running {
            return running(&mut machine, record, &mut changed);
        }
        machine.board.wait(&record, now);
        Ok(())
    })?;
    machine.dead_letters = rows.count_dead_letters()?;
    machine.callbacks =
        rows.callbacks()?.into_iter().map(|(number, tries, at)| ((at, number), tries)).collect();
    for record in changed {
        machine.settle(rows, record, now)?;
    }
    Ok(machine)
}

/// An error of SQLite, remembered if it is the end.
fn note(shared: &Shared, error: rusqlite::Error) -> StoreError {
    if is_fatal(&error) {
        shared.broken.send_replace(Some(error.to_string()));
    }
    failed(error)
}

/// Says that the store is broken should its thread panic.
struct BreakOnPanic<'a>(&'a Shared);

impl Drop for BreakOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.send_replace(Some("the writer panicked".to_owned()));
        }
    }
}

//! A store in one SQLite file: what it has accepted it keeps, whatever happens
//! to the process.
//!
//! The file is in WAL mode with `synchronous=FULL`. One thread writes, in
//! groups; readers read beside it. The order of what waits is in memory, made
//! anew from the file at each start, so no operation searches for what is next.

mod anchor;
mod begun;
mod error;
mod rows;
mod schema;
mod stored;
mod writer;

use super::machine::Machine;
use super::record::Record;
use super::{
    Accepted, Admission, AttemptEnd, CancelFound, Claimed, DueCallbacks, Expiry, Fence, ListQuery, Store,
    StoreError, StoreStats,
};
use crate::lock::lock;
use crate::{Clock, Execution, Submission, Summary, Task};
use anchor::Anchor;
use begun::{Attempt, Begun};
use error::failed;
use pilum_types::{ExecutionId, Outcome, TaskId, TenantId};
use rows::SqlRows;
use rusqlite::Connection;
use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Semaphore, mpsc, watch};
use writer::{Change, JOBS_MAX, Job, Shared, Writer};

/// Reads at a time: enough that a slow listing holds up nobody's status.
const READERS: usize = 4;

/// How long another process may take to let go of the directory.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Between two tries.
const LOCK_TRY_EVERY: Duration = Duration::from_millis(20);

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or locked.
    #[error("the directory {} cannot be used", .directory.display())]
    Directory {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Another process has it.
    #[error("another process uses the directory {}", .directory.display())]
    InUse {
        /// Which.
        directory: PathBuf,
    },
    /// The file in it cannot be used.
    #[error("the store in the directory {} cannot be opened", .directory.display())]
    Store {
        /// Which.
        directory: PathBuf,
        /// Why.
        #[source]
        cause: StoreError,
    },
}

/// Where a store is and how large it may become.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The directory of the file, which is called `executions.db`. Locked as a
    /// whole: nobody else may use it while the store is open.
    pub directory: PathBuf,
    /// What may be kept, in bytes. At this size nothing more is accepted until
    /// results have expired; results of what was accepted before still come in.
    pub max_bytes: u64,
}

/// Keeps executions and tasks in a file.
#[derive(Debug)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    /// `None` once this is being dropped, which is how the writer learns of it.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    readers: Arc<Mutex<Vec<Connection>>>,
    /// One for each reader. Never closed.
    reads: Arc<Semaphore>,
    clock: Clock,
    begun: Begun,
    /// Keeps other processes away for as long as this lives.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store, and takes back what ran when its last process ended.
    ///
    /// # Errors
    /// When the directory cannot be used, another process uses it, or the file
    /// is not one of this version or an older one.
    pub fn open(config: &SqliteConfig) -> Result<Self, OpenError> {
        let lock = lock_directory(&config.directory)?;
        Self::open_locked(config, lock)
            .map_err(|cause| OpenError::Store { directory: config.directory.clone(), cause })
    }

    fn open_locked(config: &SqliteConfig, lock: File) -> Result<Self, StoreError> {
        let SqliteConfig { directory, max_bytes } = config;
        let path = directory.join("executions.db");
        let connection = schema::open_writer(&path)?;
        let anchor = Anchor::new();
        let clock = anchor.clock(&connection)?;
        let unusable = |error: std::io::Error| StoreError::Failed(format!("the file `begun`: {error}"));
        let (begun, before) = Begun::open(&directory.join("begun")).map_err(unusable)?;
        // What was written after the last time it was on the disk went with the machine.
        let before = anchor.is_of_this_boot(&connection)?.then_some(before);
        let (machine, bytes) = recover(&connection, &anchor, &clock, before.as_ref())?;
        // Whom it blames has been blamed.
        begun.clear().map_err(unusable)?;
        let readers: Result<Vec<_>, _> = (0..READERS).map(|_| schema::open_reader(&path)).collect();

        let (jobs, inbox) = mpsc::channel(JOBS_MAX);
        let shared = Arc::new(Shared {
            machine: Mutex::new(machine),
            bytes: AtomicU64::new(bytes),
            max_bytes: *max_bytes,
            commits: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            broken: watch::Sender::new(None),
        });
        let writer = Writer { connection, anchor, clock, shared: Arc::clone(&shared), jobs: inbox };
        let spawned = std::thread::Builder::new().name("pilum-store".to_owned()).spawn(|| writer.run());
        Ok(Self {
            shared,
            jobs: Some(jobs),
            writer: Some(spawned.map_err(|error| StoreError::Failed(error.to_string()))?),
            readers: Arc::new(Mutex::new(readers?)),
            reads: Arc::new(Semaphore::new(READERS)),
            clock,
            begun,
            _lock: lock,
        })
    }

    /// Has the writer do something, and waits until it is on the disk. What was
    /// handed in is done even if nobody waits any more.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Machine, &mut SqlRows<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (change, answer) = Change::new(work);
        let handed = match &self.jobs {
            Some(jobs) => jobs.send(Box::new(change)).await.is_ok(),
            None => false,
        };
        match answer.await {
            Ok(result) if handed => result,
            _ => Err(self.gone()),
        }
    }

    /// Reads from the file, on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Never closed. Held by the thread, which goes on should its caller go away.
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        let readers = Arc::clone(&self.readers);
        let reading = tokio::task::spawn_blocking(move || {
            let reader = lock(&readers).pop();
            let Some(reader) = reader else { return Err(StoreError::Failed("no reader is left".to_owned())) };
            let result = work(&reader);
            lock(&readers).push(reader);
            drop(permit);
            result
        });
        reading.await.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
    }

    /// The end of a claim, which takes its place among those that began along.
    async fn release<T: Send + 'static>(
        &self,
        fence: &Fence,
        work: impl FnOnce(&mut Machine, &mut SqlRows<'_>, &Fence) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let own = fence.clone();
        let result = self.write(move |machine, rows| work(machine, rows, &own)).await;
        // Otherwise it is tried again.
        if matches!(result, Ok(_) | Err(StoreError::Stale(_))) {
            self.begun.end((fence.number, fence.token));
        }
        result
    }

    fn gone(&self) -> StoreError {
        let why = self.shared.broken.borrow().clone();
        StoreError::Failed(why.unwrap_or_else(|| "the store is closed".to_owned()))
    }
}

/// Keeps every other process from the directory, until the answer is dropped. A
/// process that was killed a moment ago may still be about to let go of it.
fn lock_directory(directory: &Path) -> Result<File, OpenError> {
    let unusable = |cause| OpenError::Directory { directory: directory.to_owned(), cause };
    std::fs::create_dir_all(directory).map_err(unusable)?;
    let lock = File::create(directory.join("lock")).map_err(unusable)?;
    let give_up = Instant::now() + LOCK_WAIT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            #[expect(clippy::disallowed_methods, reason = "a store is opened before anything runs")]
            Err(TryLockError::WouldBlock) if Instant::now() < give_up => std::thread::sleep(LOCK_TRY_EVERY),
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { directory: directory.to_owned() });
            }
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
    }
}

/// Reads the file into memory. What ran then has lost its worker; what was only
/// claimed, where that is known, waits as before.
fn recover(
    connection: &Connection,
    anchor: &Anchor,
    clock: &Clock,
    begun: Option<&HashSet<Attempt>>,
) -> Result<(Machine, u64), StoreError> {
    let now = clock.now();
    let mut rows = SqlRows { connection, bytes: (0, 0), fatal: None };
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let machine = writer::load(&mut rows, now, |_, mut record: Record, lost| {
        if begun.is_none_or(|begun| begun.contains(&(record.number, record.token()))) {
            record.lose(now)?;
        } else {
            record.hand_back()?;
        }
        lost.push(record);
        Ok(())
    })?;
    let bytes = rows.measure()?;
    anchor.drop_at(connection, now).map_err(failed)?;
    connection.execute_batch("COMMIT").map_err(failed)?;
    Ok((machine, bytes))
}

impl Drop for SqliteStore {
    /// Waits until what was handed in is on the disk.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

impl Store for SqliteStore {
    fn clock(&self) -> Clock {
        self.clock
    }

    async fn broken(&self) -> String {
        let mut broken = self.shared.broken.subscribe();
        loop {
            let why = broken.borrow_and_update().clone();
            if let Some(why) = why {
                return why;
            }
            if broken.changed().await.is_err() {
                // Not while this store lives.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn put_task(&self, task: &Arc<Task>) -> Result<(), StoreError> {
        let task = Arc::clone(task);
        self.write(move |_, rows| rows.put_task(&task)).await
    }

    async fn remove_task(&self, tenant: &TenantId, id: &TaskId) -> Result<(), StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |_, rows| rows.remove_task(&tenant, &id)).await
    }

    fn tasks(&self) -> Result<Vec<Task>, StoreError> {
        let readers = lock(&self.readers);
        let reader = readers.last().ok_or_else(|| StoreError::Failed("no reader is left".to_owned()))?;
        rows::tasks(reader)
    }

    async fn accept(
        &self,
        submission: Submission,
        admission: Admission,
        now: SystemTime,
    ) -> Result<Accepted, StoreError> {
        self.write(move |machine, rows| machine.accept(rows, submission, &admission, now)).await
    }

    async fn claim(&self, now: SystemTime, lease: Duration, limit: usize) -> Result<Claimed, StoreError> {
        {
            let machine = lock(&self.shared.machine);
            if !machine.board.is_due(now, limit) {
                return Ok(Claimed { next_due: machine.board.next_due(now), ..Claimed::default() });
            }
        }
        self.write(move |machine, rows| machine.claim(rows, now, lease, limit)).await
    }

    async fn renew(&self, fence: &Fence, now: SystemTime, lease: Duration) -> Result<(), StoreError> {
        // Leases end with the process, so nothing is written.
        lock(&self.shared.machine).renew(fence, now + lease)
    }

    fn begin(&self, fence: &Fence) -> Result<(), StoreError> {
        let begun = self.begun.begin((fence.number, fence.token));
        begun.map_err(|error| StoreError::Failed(format!("the file `begun`: {error}")))
    }

    async fn hand_back(&self, fence: &Fence, now: SystemTime) -> Result<Arc<Execution>, StoreError> {
        self.release(fence, move |machine, rows, fence| machine.release(rows, fence, now, Record::hand_back))
            .await
    }

    async fn finish(
        &self,
        fence: &Fence,
        outcome: Arc<Outcome>,
        now: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        self.release(fence, move |machine, rows, fence| machine.finish(rows, fence, outcome, now)).await
    }

    async fn retry_later(
        &self,
        fence: &Fence,
        ended: AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> Result<Arc<Execution>, StoreError> {
        let work = move |machine: &mut Machine, rows: &mut SqlRows<'_>, fence: &Fence| {
            machine.retry_later(rows, fence, &ended, now, not_before)
        };
        self.release(fence, work).await
    }

    async fn cancel(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        reason: &str,
        now: SystemTime,
    ) -> Result<CancelFound, StoreError> {
        let (tenant, id, reason) = (tenant.clone(), id.clone(), reason.to_owned());
        self.write(move |machine, rows| machine.cancel(rows, &tenant, &id, &reason, now)).await
    }

    async fn get(&self, tenant: &TenantId, id: &ExecutionId) -> Result<Option<Execution>, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        let found = self.read(move |reader| rows::find(reader, &tenant, &id)).await?;
        let Some(Record { number, execution, .. }) = found.filter(|record| !record.expired) else {
            return Ok(None);
        };
        let waits = execution.state == pilum_types::State::Pending;
        let ahead = if waits { lock(&self.shared.machine).board.queue.ahead(number) } else { None };
        Ok(Some(Execution { queue_position: ahead.map(|ahead| ahead + 1), ..execution }))
    }

    async fn list(&self, tenant: &TenantId, query: &ListQuery) -> Result<Vec<Summary>, StoreError> {
        let (tenant, query) = (tenant.clone(), query.clone());
        self.read(move |reader| rows::list(reader, &tenant, &query)).await
    }

    async fn discard(&self, tenant: &TenantId, id: &ExecutionId) -> Result<bool, StoreError> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.write(move |machine, rows| machine.discard(rows, &tenant, &id)).await
    }

    async fn redrive(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        anew: &ExecutionId,
    ) -> Result<Option<Submission>, StoreError> {
        let (tenant, id, anew) = (tenant.clone(), id.clone(), anew.clone());
        self.write(move |machine, rows| machine.redrive(rows, &tenant, &id, &anew)).await
    }

    async fn due_callbacks(&self, now: SystemTime, limit: usize) -> Result<DueCallbacks, StoreError> {
        {
            let machine = lock(&self.shared.machine);
            let next_due = machine.next_callback();
            if next_due.is_none_or(|at| at > now) {
                return Ok(DueCallbacks { next_due, ..DueCallbacks::default() });
            }
        }
        self.write(move |machine, rows| machine.due_callbacks(rows, now, limit)).await
    }

    async fn end_callback(&self, number: u64) -> Result<(), StoreError> {
        self.write(move |machine, rows| machine.end_callback(rows, number)).await
    }

    async fn put_off_callback(&self, number: u64, tries: u32, at: SystemTime) -> Result<(), StoreError> {
        self.write(move |machine, rows| machine.put_off_callback(rows, number, tries, at)).await
    }

    async fn expire(&self, expiry: Expiry, now: SystemTime, batch: usize) -> Result<usize, StoreError> {
        self.write(move |machine, rows| machine.expire(rows, expiry, now, batch)).await
    }

    async fn forget_task(
        &self,
        tenant: &TenantId,
        task_id: &TaskId,
        batch: usize,
    ) -> Result<usize, StoreError> {
        let (tenant, task_id) = (tenant.clone(), task_id.clone());
        self.write(move |machine, rows| machine.forget_task(rows, &tenant, &task_id, batch)).await
    }

    async fn depth(&self) -> Result<StoreStats, StoreError> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let machine = lock(&self.shared.machine);
        Ok(StoreStats {
            pending: machine.board.queue.len(),
            running: machine.board.running(),
            dead_letters: machine.dead_letters,
            callbacks: machine.callbacks_left(),
            bytes: count(&self.shared.bytes),
            max_bytes: self.shared.max_bytes,
            commits: count(&self.shared.commits),
            changes: count(&self.shared.changes),
        })
    }
}

#[cfg(test)]
mod tests;

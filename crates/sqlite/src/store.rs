//! The store: how it is opened, how the writer makes its changes, and how its readers read.

use crate::attempt_journal::{AttemptJournal, ClaimToken};
use crate::clock_checkpoint::ClockCheckpoint;
use crate::error::{OpenError, failed};
use crate::schema;
use crate::table::SqlTable;
use crate::writer::{self, CHANGES_WAITING_MAX, Change, PendingChange, Shared, Writer};
use pilum_store::lock::lock;
use pilum_store::logic::StoreLogic;
use pilum_store::{Clock, Fence, StoreError};
use rusqlite::Connection;
use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, watch};

/// How many reads run at once, so that one slow listing does not hold up other reads.
const READERS: usize = 4;

/// How long to wait for another process to release the directory.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// The time between two tries.
const LOCK_TRY_EVERY: Duration = Duration::from_millis(20);

/// Where a store is, and how large it may become.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The directory of the file, which is called `executions.db`. It is locked: no other
    /// process may use it while the store is open.
    pub directory: PathBuf,
    /// The most bytes of the file. At this size the store refuses submissions until results
    /// have expired. It still stores the results of accepted executions.
    pub max_bytes: u64,
}

/// Stores executions and tasks in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    pub(crate) shared: Arc<Shared>,
    /// Sends changes to the writer. `None` during the drop of the store: the writer stops then.
    changes: Option<mpsc::Sender<Box<dyn PendingChange>>>,
    writer: Option<JoinHandle<()>>,
    pub(crate) readers: Arc<Mutex<Vec<Connection>>>,
    /// One permit for each reader. Never closed.
    reads: Arc<Semaphore>,
    pub(crate) clock: Clock,
    pub(crate) journal: AttemptJournal,
    /// Holds the lock on the directory for as long as the store lives.
    _lock: File,
}

impl SqliteStore {
    /// Opens the store. Executions that ran when its last process ended have lost their
    /// worker.
    ///
    /// # Errors
    /// When the directory cannot be used, when another process uses it, or when the file is
    /// not a store of this version or an older one.
    pub fn open(config: &SqliteConfig) -> Result<Self, OpenError> {
        let lock = lock_directory(&config.directory)?;
        Self::open_locked(config, lock)
            .map_err(|cause| OpenError::Store { directory: config.directory.clone(), cause })
    }

    fn open_locked(config: &SqliteConfig, lock: File) -> Result<Self, StoreError> {
        let SqliteConfig { directory, max_bytes } = config;
        let path = directory.join("executions.db");
        let connection = schema::open_writer(&path)?;
        let checkpoint = ClockCheckpoint::new();
        let clock = checkpoint.clock(&connection)?;
        let (journal, begun) = AttemptJournal::open(directory)?;
        // The journal is written without a sync: it is complete only on the same boot.
        let begun = checkpoint.is_of_this_boot(&connection)?.then_some(begun);
        let (logic, bytes) = recover(&connection, &checkpoint, &clock, begun.as_ref())?;
        journal.clear()?;
        let readers: Result<Vec<_>, _> = (0..READERS).map(|_| schema::open_reader(&path)).collect();

        let (changes, waiting) = mpsc::channel(CHANGES_WAITING_MAX);
        let shared = Arc::new(Shared {
            logic: Mutex::new(logic),
            bytes: AtomicU64::new(bytes),
            max_bytes: *max_bytes,
            commits: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            fatal_failure: watch::Sender::new(None),
        });
        let writer = Writer { connection, checkpoint, clock, shared: Arc::clone(&shared), changes: waiting };
        let spawned = std::thread::Builder::new().name("pilum-store".to_owned()).spawn(|| writer.run());
        Ok(Self {
            shared,
            changes: Some(changes),
            writer: Some(spawned.map_err(|error| StoreError::Failed(error.to_string()))?),
            readers: Arc::new(Mutex::new(readers?)),
            reads: Arc::new(Semaphore::new(READERS)),
            clock,
            journal,
            _lock: lock,
        })
    }

    /// Gives the writer a change to make, and waits until the change is durable. The writer
    /// makes the change even if the caller stops waiting.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        make: impl FnOnce(&mut StoreLogic, &mut SqlTable<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (change, answer) = Change::new(make);
        let sent = match &self.changes {
            Some(changes) => changes.send(Box::new(change)).await.is_ok(),
            None => false,
        };
        match answer.await {
            Ok(result) if sent => result,
            _ => Err(self.closed()),
        }
    }

    /// Reads from the file on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // The thread holds the permit, since the read continues when its caller stops waiting.
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        let readers = Arc::clone(&self.readers);
        let reading = tokio::task::spawn_blocking(move || {
            let reader = lock(&readers).pop();
            let Some(reader) = reader else { return Err(StoreError::Failed("no reader is left".to_owned())) };
            let result = read(&reader);
            lock(&readers).push(reader);
            drop(permit);
            result
        });
        reading.await.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
    }

    /// Makes a change that ends a lease, and removes the attempt from the journal.
    pub(crate) async fn end_lease<T: Send + 'static>(
        &self,
        fence: &Fence,
        make: impl FnOnce(&mut StoreLogic, &mut SqlTable<'_>, &Fence) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let own = fence.clone();
        let result = self.write(move |logic, table| make(logic, table, &own)).await;
        // After another error the worker tries again, so the attempt has not ended.
        if matches!(result, Ok(_) | Err(StoreError::LeaseLost(_))) {
            self.journal.end((fence.number, fence.token));
        }
        result
    }

    fn closed(&self) -> StoreError {
        let failure = self.shared.fatal_failure.borrow().clone();
        StoreError::Failed(failure.unwrap_or_else(|| "the store is closed".to_owned()))
    }
}

/// Locks the directory until the returned file is dropped. A process that was killed a
/// moment ago may still hold the lock, so this tries for a while.
fn lock_directory(directory: &Path) -> Result<File, OpenError> {
    let unusable = |cause| OpenError::Directory { directory: directory.to_owned(), cause };
    std::fs::create_dir_all(directory).map_err(unusable)?;
    let lock = File::create(directory.join("lock")).map_err(unusable)?;
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            #[expect(clippy::disallowed_methods, reason = "a store is opened before anything runs")]
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_TRY_EVERY),
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { directory: directory.to_owned() });
            }
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
    }
}

/// Builds the logic's state from the file. Executions that ran have lost their worker.
/// Executions that were claimed and had not begun wait as before; `begun` has the claims that
/// had begun, if they are known.
fn recover(
    connection: &Connection,
    checkpoint: &ClockCheckpoint,
    clock: &Clock,
    begun: Option<&HashSet<ClaimToken>>,
) -> Result<(StoreLogic, u64), StoreError> {
    let now = clock.now();
    let mut table = SqlTable { connection, bytes: (0, 0), fatal_failure: None };
    connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
    let logic = writer::load(&mut table, now, |_, mut record, lost| {
        if begun.is_none_or(|begun| begun.contains(&(record.number, record.token()))) {
            record.lose(now)?;
        } else {
            record.hand_back()?;
        }
        lost.push(record);
        Ok(())
    })?;
    let bytes = table.measure()?;
    checkpoint.record(connection, now).map_err(failed)?;
    connection.execute_batch("COMMIT").map_err(failed)?;
    Ok((logic, bytes))
}

impl Drop for SqliteStore {
    /// Waits until the writer has made all changes that were sent.
    fn drop(&mut self) {
        self.changes = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer panicked");
        }
    }
}

//! The queue from which workers take executions.

use crate::{Execution, StoreError, Submission};
use pilum_types::{ExecutionId, Failure, InstanceId, Outcome, TenantId};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How many workers may be lost with one execution. With the last of them the execution ends
/// FAILED with WORKER_LOST, even if it has retries left: an execution that kills its process
/// must not do so for ever.
pub const LOST_WORKERS_MAX: u32 = 3;

/// Gives pending executions to workers, and records how their attempts end.
pub trait WorkQueue: Send + Sync + 'static {
    /// Takes up to `limit` executions that may run, records that an attempt of each
    /// begins, and leases them to the caller until `now + lease`. With a `limit` of 0
    /// only late and lost executions are handled. Tenants and priorities take turns by
    /// their shares.
    ///
    /// An execution whose lease ended goes back to the queue with WORKER_LOST as its
    /// attempt's failure. It ends FAILED with it if its attempts are spent, or if
    /// [`LOST_WORKERS_MAX`] workers were lost with it. If it has lost one worker fewer
    /// than that it is a poison execution: at most one of those is leased at a time. An
    /// execution that can no longer meet its deadline ends TIMEOUT. Work that
    /// [`retry_later`](Self::retry_later) put back is claimed again, however many attempts
    /// it has had.
    fn claim(
        &self,
        now: SystemTime,
        lease: Duration,
        limit: usize,
    ) -> impl Future<Output = Result<ClaimBatch, StoreError>> + Send;

    /// Extends a lease to `now + lease`.
    fn renew(
        &self,
        fence: &Fence,
        now: SystemTime,
        lease: Duration,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Records that the attempt of a claim begins now. If the process ends, only the
    /// attempts that had begun have lost their worker; the others count as not claimed.
    /// Does not wait for a durable write. A store that cannot tell them apart does
    /// nothing.
    ///
    /// # Errors
    /// When it cannot be recorded. The attempt must not begin then.
    fn begin(&self, _fence: &Fence) -> Result<(), StoreError> {
        Ok(())
    }

    /// Gives back a claim whose attempt has not begun, as if it had not been made.
    fn hand_back(
        &self,
        fence: &Fence,
        now: SystemTime,
    ) -> impl Future<Output = Result<Arc<Execution>, StoreError>> + Send;

    /// Ends the execution with this outcome. If it has a callback, that is due from now
    /// on.
    fn finish(
        &self,
        fence: &Fence,
        outcome: Arc<Outcome>,
        now: SystemTime,
    ) -> impl Future<Output = Result<Arc<Execution>, StoreError>> + Send;

    /// Ends the attempt with this failure and puts the execution back into the queue, to
    /// be claimed at `not_before` or later.
    fn retry_later(
        &self,
        fence: &Fence,
        ended: AttemptEnd,
        now: SystemTime,
        not_before: SystemTime,
    ) -> impl Future<Output = Result<Arc<Execution>, StoreError>> + Send;
}

/// The answer to [`WorkQueue::claim`].
#[derive(Debug, Default)]
pub struct ClaimBatch {
    /// The executions that are leased to this host now.
    pub leases: Vec<Lease>,
    /// Executions that changed during the claim: taken back from a lost worker, or ended
    /// because they are late or were lost too often.
    pub changed: Vec<Arc<Execution>>,
    /// When there may be more to do, if nothing new is submitted before.
    pub next_due: Option<SystemTime>,
}

/// An execution that a worker holds. Its attempt is already recorded.
#[derive(Debug, Clone)]
pub struct Lease {
    /// What to run.
    pub submission: Submission,
    /// The execution as it is now, with this attempt.
    pub execution: Arc<Execution>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The proof that the worker shows with every change.
    pub fence: Fence,
}

/// Proof of a claim. Every claim of an execution has a higher token than the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The tenant of the execution.
    pub tenant: TenantId,
    /// The execution's id.
    pub id: ExecutionId,
    /// The store's own number of the execution.
    pub number: u64,
    /// The token of the claim.
    pub token: u64,
}

/// How an attempt ended that another attempt follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// What went wrong.
    pub failure: Failure,
    /// The instance that ran it, if one did.
    pub instance: Option<InstanceId>,
}

impl From<Failure> for AttemptEnd {
    /// An attempt that ended without an instance.
    fn from(failure: Failure) -> Self {
        Self { failure, instance: None }
    }
}

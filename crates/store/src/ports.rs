//! The ports: the operations of a store, grouped by the part of the execution layer that uses
//! them.
//!
//! No operation spans two executions, and a worker shows the [`Fence`] of its claim
//! with every change. So a store that is shared by several hosts can keep the same
//! promises: a worker that has lost its lease cannot overwrite the changes of the next one.
//!
//! `now` is always the time of the caller's [`Clock`], which begins at [`Store::clock`].

mod callbacks;
mod dead_letters;
mod executions;
mod key_value;
mod tasks;
mod work_queue;

pub use callbacks::{Callback, CallbackStore, DueCallbacks};
pub use dead_letters::DeadLetterStore;
pub use executions::{
    Admission, CancelPendingResult, ExecutionStore, Expiry, ListQuery, StoreStats, SubmitResult,
};
pub use key_value::{KeyPage, KeyValueError, KeyValueStore};
pub use tasks::TaskStore;
pub use work_queue::{AttemptEnd, ClaimBatch, Fence, LOST_WORKERS_MAX, Lease, WorkQueue};

use crate::Clock;

/// Everything that the execution layer needs of a store.
pub trait Store: TaskStore + ExecutionStore + WorkQueue + CallbackStore + DeadLetterStore {
    /// A clock that is not behind any time the store has recorded.
    fn clock(&self) -> Clock {
        Clock::start()
    }

    /// Waits for a failure after which the store cannot keep its promises, such as a
    /// failed sync, and returns its text. The process must end then.
    fn fatal_failure(&self) -> impl Future<Output = String> + Send {
        std::future::pending()
    }
}

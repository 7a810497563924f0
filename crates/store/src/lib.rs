//! The data that a host stores: tasks, executions, and the values of functions.
//!
//! In reading order: [`Task`], [`Submission`], [`Execution`] and [`Attempt`] are the stored
//! data; `ports` are the traits through which the execution layer reaches a store, together
//! [`Store`]; `logic` has the rules that all stores on one machine share
//! ([`logic::StoreLogic`] over a [`logic::RecordTable`]); [`MemoryStore`] stores everything
//! in memory; `conformance`, behind the feature of that name, is the test suite that every
//! store must pass, also a store of another crate.
//!
//! **Invariant:** no storage engine. This crate knows no SQL, no file and no network,
//! and nothing in it assumes that one process writes: a fence guards every change.

mod clock;
mod error;
mod execution;
mod submission;
mod task;

mod ports;

pub mod logic;
mod memory;
mod size_estimate;

pub mod fail_point;
pub mod lock;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub use clock::Clock;
pub use error::StoreError;
pub use execution::{Attempt, Execution, Mode, Summary};
pub use memory::MemoryStore;
pub use ports::{
    Admission, AttemptEnd, Callback, CallbackStore, CancelPendingResult, ClaimBatch, DeadLetterStore,
    DueCallbacks, ExecutionStore, Expiry, Fence, KeyPage, KeyValueError, KeyValueStore, LOST_WORKERS_MAX,
    Lease, ListQuery, Store, StoreStats, SubmitResult, TaskStore, WorkQueue,
};
pub use size_estimate::size_estimate;
pub use submission::{Schedule, Submission};
pub use task::{ArtifactLabels, Revision, Task, TaskSpec};

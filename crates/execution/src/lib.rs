//! Tasks and their executions: one state machine behind three doors.
//!
//! [`Executions`] is the face of this crate. A synchronous call runs in its
//! caller's own future; an asynchronous one is accepted into the [`Store`] and
//! run by a worker. Both go through the [`Runtime`] port, which the host
//! implements over the engine, and both are found again by id.
//!
//! **Invariant:** no wasm and no wire. This crate imports neither wasmtime nor
//! tonic nor the crates around them, so the state machine is tested under
//! paused time with a fake function.

mod execution;
mod invocation;
mod runtime;
mod settings;
mod task;

mod executions;

mod core;
mod registry;
mod resolve;
mod task_entry;

mod flight;
mod key;
mod ledger;
mod sync;
mod sync_run;

mod accept;
mod alarm;
mod store;
mod worker;

mod cancel;
mod drain;
mod janitor;
mod look_up;

mod backoff;
mod clock;
mod error;
mod estimate;
mod handle;
mod ids;
mod lock;
mod stats;
mod weight;

#[cfg(test)]
mod fake;

pub use clock::Clock;
pub use error::{BindError, PrepareError, Refusal};
pub use execution::{Attempt, Execution, Mode};
pub use executions::{Cancelled, Deleted, Executions, Reply, TaskView};
pub use invocation::{Invocation, Target};
pub use runtime::{Retained, RunContext, Runtime};
pub use settings::{AsyncSettings, Settings, SyncSettings};
pub use stats::Stats;
pub use store::{
    Accepted, CancelFound, Claim, Depth, Fence, LOST_WORKERS_MAX, Lease, ListQuery, MemoryStore, Store,
    StoreError, Submission,
};
pub use task::{ArtifactLabels, Task, TaskSpec};

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

mod door;
mod execution;
mod invocation;
mod runtime;
mod settings;
mod submission;
mod task;

mod executions;

mod core;
mod deploy;
mod registry;
mod resolve;
mod task_entry;

mod flight;
mod key;
mod key_value;
mod ledger;
mod stream;
mod sync;
mod sync_run;

mod accept;
mod alarm;
mod dispatch;
mod keep;
mod store;
mod worker;

mod callbacks;
mod cancel;
mod dead_letters;
mod drain;
mod finished;
mod janitor;
mod look_up;
mod watch;

mod backoff;
mod clock;
mod error;
mod estimate;
mod failpoint;
mod gauge;
mod handle;
mod ids;
mod lock;
mod stats;
mod weight;

#[cfg(test)]
mod fake;

pub use clock::Clock;
pub use deploy::{DeployResult, TaskDescription};
pub use error::{PrepareError, RequestError, RequestField};
pub use execution::{Attempt, Execution, Mode, Summary};
pub use executions::{CancelResult, DeleteResult, Executions, Reply, TaskView};
pub use invocation::{Invocation, Target};
pub use key_value::{KeyValueError, KeyValues};
pub use pilum_call::{
    BindError, CallContext, HttpBody, HttpBodyError, HttpRequest, HttpResponse, OutputMode,
};
pub use runtime::{RetainGuard, Runtime, UploadedArtifact};
pub use settings::{AsyncSettings, Settings, SyncSettings};
pub use stats::Stats;
pub use store::{
    Accepted, Admission, AttemptEnd, Callback, CancelFound, Claimed, DueCallbacks, Expiry, Fence,
    LOST_WORKERS_MAX, Lease, ListQuery, MemoryStore, OpenError, SqliteConfig, SqliteStore, Store, StoreError,
    StoreStats,
};
pub use stream::{Chunk, HttpReply, StreamingCall};
pub use submission::{Schedule, Submission};
pub use task::{ArtifactLabels, Revision, Task, TaskSpec};
pub use watch::{Update, Watch};

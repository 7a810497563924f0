//! Tasks and their executions: one state machine behind synchronous, asynchronous, streamed
//! and HTTP calls.
//!
//! [`Executions`] is the facade. A synchronous call runs in its caller's own future
//! (`sync`); an asynchronous one is submitted to the [`Store`] and run by a worker
//! (`queue`). Both go through the [`Runtime`] port, which the host implements over the
//! engine. In reading order: [`Invocation`] is a caller's request; `ctx` is what all services
//! share; `tasks` finds or registers the task; `sync` and `queue` run the call; `observe`
//! reports the state of executions; `cancel` and `deletion` end them; `lifecycle` is the one
//! shutdown tree.
//!
//! **Invariant:** no wasm, no wire and no storage engine. This crate imports neither wasmtime
//! nor tonic nor SQL, so the state machine is tested under paused time with a fake function.

mod error;
mod invocation;
mod runtime;
mod settings;

mod executions;

mod ctx;
mod lifecycle;

mod tasks;

mod queue;
mod sync;

mod observe;

mod cancel;
mod deletion;

#[cfg(test)]
mod testing;
#[cfg(test)]
use pilum_store::MemoryStore;

pub use cancel::{CancelResult, Cancellation};
pub use deletion::{DeleteResult, Deletion};
pub use error::{PrepareError, RequestError, RequestField};
pub use executions::Executions;
pub use invocation::{Invocation, Reply, Target};
pub use observe::{Query, Stats, Update, Watch};
pub use queue::{Callbacks, DeadLetters};
pub use runtime::{RetainGuard, Runtime, UploadedArtifact};
pub use settings::{AsyncSettings, Settings, SyncSettings};
pub use sync::{Chunk, HttpReply, StreamingCall};
pub use tasks::{DeployResult, TaskDescription, TaskView, Tasks};

pub use pilum_call::{
    BindError, CallContext, HttpBody, HttpBodyError, HttpRequest, HttpResponse, OutputMode,
};
pub use pilum_store::{
    Admission, ArtifactLabels, Attempt, AttemptEnd, Callback, CancelPendingResult, ClaimBatch, Clock,
    Execution, Expiry, Lease, ListQuery, Mode, Revision, Schedule, Store, StoreError, StoreStats, Submission,
    SubmitResult, Summary, Task, TaskSpec,
};

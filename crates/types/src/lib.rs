//! The words of the domain: ids, names, digests, values, limits, and the state
//! machine of an execution.
//!
//! Everything a caller, the engine and the store must agree on is a type here,
//! checked once when it is made: a [`TaskName`] in hand is a valid task name.
//!
//! **Invariant:** this crate knows no runtime, no wire format and no storage.
//! It imports neither tokio nor serde nor prost nor any sibling, and it reads
//! no clock and no randomness: ids are made from parts its caller supplies.

mod digest;
mod failure;
mod id;
mod invocation;
mod limits;
mod name;
mod outcome;
mod policy;
mod priority;
mod signature;
mod state;
mod value;

pub use digest::{Digest, InvalidDigest};
pub use failure::{Failure, FailureCode, RetryClass};
pub use id::{ExecutionId, InstanceId, InvalidId, TaskId, TenantId};
pub use invocation::{ArtifactSource, Parameter};
pub use limits::CallLimits;
pub use name::{FunctionName, InvalidName, TaskName};
pub use outcome::{LogLine, LogStream, Outcome, Output, Usage};
pub use policy::{Grants, HttpGrant, InstancePolicy, InvalidHttpGrant, Policy, PolicyLimits, Reuse};
pub use priority::Priority;
pub use signature::{Case, Description, Field, FunctionKind, FunctionSignature, Import, ValueType};
pub use state::{Event, IllegalTransition, State};
pub use value::Value;

//! The words of the domain: ids, names, digests, values, limits, and the state
//! machine of an execution.
//!
//! Callers, the engine and the store agree on these types. Each value is checked once,
//! when it is made: every [`TaskName`] is a valid task name.
//!
//! In reading order: ids and names ([`ExecutionId`], [`TaskName`], [`Digest`]); what is
//! called ([`ArtifactSource`], [`Parameter`], [`Value`]) and its types
//! ([`FunctionSignature`]); what the owner of a task allows ([`Policy`]); how a call runs
//! ([`CallLimits`], [`State`]) and ends ([`Outcome`], [`Failure`]).
//!
//! **Invariant:** this crate knows no runtime, no wire format and no storage. It imports
//! neither tokio nor serde nor prost nor any sibling. It reads neither a clock nor a
//! source of random numbers: callers supply both when they make an id.

mod digest;
mod id;
mod name;

mod invocation;
mod signature;
mod value;

mod policy;
mod priority;

mod failure;
mod limits;
mod outcome;
mod state;

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

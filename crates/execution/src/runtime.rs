//! The port through which executions reach whatever runs functions.

use crate::{BindError, LineTap, PrepareError};
use pilum_types::{ArtifactSource, CallLimits, Digest, FunctionName, Outcome, Parameter, TaskName};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Runs functions. The host implements it over the engine, tests with a fake.
///
/// A call goes through three steps so that each can fail in its own way before
/// anything is created: [`prepare`](Self::prepare) the code,
/// [`bind`](Self::bind) the call to a function of it, [`run`](Self::run).
pub trait Runtime: Send + Sync + 'static {
    /// Code ready to be called. Kept by the runtime in a cache of its own, and
    /// asked for anew every few calls, so that what is idle can be evicted.
    type Prepared: fmt::Debug + Send + Sync + 'static;
    /// A function with parameters that fit it.
    type Call: Send + 'static;

    /// Fetches, verifies and compiles the code at `source`, or finds it ready.
    /// However many callers wait for the same code, the work is done once.
    fn prepare(
        &self,
        source: &ArtifactSource,
    ) -> impl Future<Output = Result<Arc<Self::Prepared>, PrepareError>> + Send;

    /// Keeps what is stored of an artifact from being evicted for as long as the
    /// answer lives. One is held for every registered task. A runtime that
    /// evicts nothing has nothing to do.
    fn retain(&self, _digest: Digest) -> Retained {
        Box::new(())
    }

    /// The digest of the artifact that the code was made from.
    fn digest(&self, prepared: &Self::Prepared) -> Digest;

    /// Finds `function` and fits `parameters` to its type.
    ///
    /// # Errors
    /// When there is no such function, or a parameter does not fit.
    fn bind(
        &self,
        prepared: &Arc<Self::Prepared>,
        function: &FunctionName,
        parameters: Vec<Parameter>,
    ) -> Result<Self::Call, BindError>;

    /// Runs one attempt to its end within `context.limits`. Dropping the future
    /// stops the guest.
    fn run(&self, call: Self::Call, context: RunContext) -> impl Future<Output = Outcome> + Send;
}

/// Lets an artifact be evicted again when it is dropped.
pub type Retained = Box<dyn Any + Send + Sync>;

/// What an attempt runs under.
#[derive(Debug, Clone)]
pub struct RunContext {
    /// The task's name; a command's `argv[0]`.
    pub task: TaskName,
    /// The function's name as called; a command's `argv[1]`.
    pub function: FunctionName,
    /// The bounds of this attempt.
    pub limits: CallLimits,
    /// Environment variables the caller gave for this call; nothing else is visible.
    pub environment: Arc<[(String, String)]>,
    /// Whether an instance that served an earlier call must not be used.
    pub force_new_instance: bool,
    /// Is told every line while it is written, where somebody might listen.
    pub tap: Option<LineTap>,
}

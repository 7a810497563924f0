//! The port through which executions reach whatever runs functions.

use crate::{PrepareError, Task};
use bytes::Bytes;
use futures::stream::BoxStream;
use pilum_call::{BindError, CallContext, HttpRequest};
use pilum_types::{
    ArtifactSource, CallLimits, Description, Digest, FunctionName, Grants, Outcome, Parameter,
};
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
    /// However many callers wait for the same code, the work is done once. Code
    /// that imports what is not granted is refused.
    fn prepare(
        &self,
        source: &ArtifactSource,
        grants: &Grants,
    ) -> impl Future<Output = Result<Arc<Self::Prepared>, PrepareError>> + Send;

    /// Keeps what is stored of a task's artifacts, those of its other revisions
    /// too, from being evicted for as long as the answer lives. One is held for the
    /// present revision of every registered task; with it goes whatever else is
    /// kept for that revision. A runtime that evicts nothing has nothing to do.
    fn retain(&self, _task: &Task) -> RetainGuard {
        Box::new(())
    }

    /// Has as many instances stand ready for a task as its policy asks for. They
    /// are made beside everything else.
    fn warm(&self, _task: &Task, _prepared: &Arc<Self::Prepared>, _limits: CallLimits) {}

    /// Keeps an artifact's bytes, to be found by [`prepare`](Self::prepare).
    ///
    /// # Errors
    /// When they are too many, do not come whole, or cannot be kept.
    fn upload(
        &self,
        _bytes: BoxStream<'static, Result<Bytes, String>>,
    ) -> impl Future<Output = Result<UploadedArtifact, PrepareError>> + Send {
        std::future::ready(Err(PrepareError::Unavailable("nothing can be uploaded here".to_owned())))
    }

    /// Forgets what a task's functions kept. It has been deleted.
    fn forget(&self, _task: &Task) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// What a task's code is, as its callers see it.
    fn describe(
        &self,
        _task: &Task,
        _prepared: &Arc<Self::Prepared>,
    ) -> impl Future<Output = Description> + Send {
        std::future::ready(Description::default())
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

    /// Fits a request to the http handler in the code.
    ///
    /// # Errors
    /// When there is none.
    fn bind_request(
        &self,
        _prepared: &Arc<Self::Prepared>,
        _request: HttpRequest,
    ) -> Result<Self::Call, BindError> {
        Err(BindError::FunctionNotFound { name: "handle".to_owned(), exported: Vec::new() })
    }

    /// Runs one attempt to its end within `context.limits`. Dropping the future
    /// stops the guest.
    fn run(&self, call: Self::Call, context: CallContext) -> impl Future<Output = Outcome> + Send;
}

/// Lets an artifact be evicted again when it is dropped.
pub type RetainGuard = Box<dyn Any + Send + Sync>;

/// An artifact that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedArtifact {
    /// How it is referred to.
    pub source: ArtifactSource,
    /// How long it is.
    pub bytes: u64,
}

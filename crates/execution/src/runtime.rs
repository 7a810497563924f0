//! The port through which executions reach the engine.

use crate::{PrepareError, Task};
use bytes::Bytes;
use futures::stream::BoxStream;
use pilum_call::{BindError, CallContext, HTTP_HANDLER_FUNCTION, HttpRequest};
use pilum_types::{
    ArtifactSource, CallLimits, Description, Digest, FunctionName, Grants, Outcome, Parameter,
};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Runs functions. The host implements it over the engine, and tests with a fake.
///
/// A call has three steps, so that the first two can fail before anything is created:
/// [`prepare`](Self::prepare) the code, [`bind`](Self::bind) the call to a function of it, and
/// [`run`](Self::run) it.
// More than ten methods, because a second trait for the life of a task would have the same
// implementors and the same associated type. Seven of them have defaults.
pub trait Runtime: Send + Sync + 'static {
    /// Code that is ready to be called. The runtime caches it. Callers ask for it again every
    /// few calls, so that the runtime knows which code is idle and can evict it.
    type Prepared: fmt::Debug + Send + Sync + 'static;
    /// A function with parameters that fit it.
    type Call: Send + 'static;

    /// Fetches, verifies and compiles the code at `source`, or finds it in its cache. Callers
    /// that wait for the same code share one preparation. Code that imports an interface
    /// without a grant is refused.
    fn prepare(
        &self,
        source: &ArtifactSource,
        grants: &Grants,
    ) -> impl Future<Output = Result<Arc<Self::Prepared>, PrepareError>> + Send;

    /// Keeps the stored artifacts of all revisions of a task from being evicted while the
    /// returned guard lives. There is one guard for the active revision of every registered
    /// task. When it is dropped, the runtime also frees what it holds for that revision.
    fn retain(&self, _task: &Task) -> RetainGuard {
        Box::new(())
    }

    /// Fills the warm pool of a task in the background, as its policy asks.
    fn warm(&self, _task: &Task, _prepared: &Arc<Self::Prepared>, _limits: CallLimits) {}

    /// Stores an artifact's bytes, so that [`prepare`](Self::prepare) finds them.
    ///
    /// # Errors
    /// When the bytes are too many, do not arrive completely, or cannot be stored.
    fn upload(
        &self,
        _bytes: BoxStream<'static, Result<Bytes, String>>,
    ) -> impl Future<Output = Result<UploadedArtifact, PrepareError>> + Send {
        std::future::ready(Err(PrepareError::Unavailable("this runtime takes no uploads".to_owned())))
    }

    /// Removes the values that the functions of a deleted task have stored.
    fn forget(&self, _task: &Task) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Describes a task's code to its callers.
    fn describe(
        &self,
        _task: &Task,
        _prepared: &Arc<Self::Prepared>,
    ) -> impl Future<Output = Description> + Send {
        std::future::ready(Description::default())
    }

    /// The digest of the artifact that the code was made from.
    fn digest(&self, prepared: &Self::Prepared) -> Digest;

    /// Finds `function` and converts `parameters` to its types.
    ///
    /// # Errors
    /// When there is no such function, or a parameter does not fit.
    fn bind(
        &self,
        prepared: &Arc<Self::Prepared>,
        function: &FunctionName,
        parameters: Vec<Parameter>,
    ) -> Result<Self::Call, BindError>;

    /// Checks a call as [`bind`](Self::bind) does, and drops the result.
    ///
    /// # Errors
    /// Those of [`bind`](Self::bind).
    fn check(
        &self,
        prepared: &Arc<Self::Prepared>,
        function: &FunctionName,
        parameters: &[Parameter],
    ) -> Result<(), BindError> {
        self.bind(prepared, function, parameters.to_vec()).map(drop)
    }

    /// Binds a request to the http handler in the code.
    ///
    /// # Errors
    /// When the code has no http handler.
    fn bind_request(
        &self,
        _prepared: &Arc<Self::Prepared>,
        _request: HttpRequest,
    ) -> Result<Self::Call, BindError> {
        Err(BindError::FunctionNotFound { name: HTTP_HANDLER_FUNCTION.to_owned(), exported: Vec::new() })
    }

    /// Stops everything that the runtime runs by itself, and waits until it has ended. The host
    /// calls this once, after the drain.
    fn shut_down(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Runs one attempt to its end within `context.limits`. If the future is dropped, the guest
    /// stops.
    fn run(&self, call: Self::Call, context: CallContext) -> impl Future<Output = Outcome> + Send;
}

/// Keeps artifacts from being evicted until it is dropped.
pub type RetainGuard = Box<dyn Any + Send + Sync>;

/// An artifact that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedArtifact {
    /// The source that names it.
    pub source: ArtifactSource,
    /// Its length in bytes.
    pub bytes: u64,
}

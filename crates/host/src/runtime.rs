//! The [`Runtime`] port over the engine, the artifact store and the stored values. Calls
//! pass through and errors are translated; nothing else happens here.

use bytes::Bytes;
use futures::stream::BoxStream;
use pilum_artifact::{ArtifactError, ArtifactStore};
use pilum_call::{BindError, CallContext, HttpRequest};
use pilum_engine::{BoundCall, Code, Engine, EngineError};
use pilum_execution::{PrepareError, RequestField, RetainGuard, Runtime, Task, UploadedArtifact};
use pilum_sqlite::KeyValues;
use pilum_store::KeyValueStore as _;
use pilum_types::{
    ArtifactSource, CallLimits, Description, Digest, FunctionName, Grants, Outcome, Parameter, TaskId,
    TenantId,
};
use std::fmt;
use std::sync::Arc;

/// Runs functions on the engine.
pub struct EngineRuntime {
    engine: Engine,
    artifacts: ArtifactStore,
    values: KeyValues,
}

/// Pins an artifact until this is dropped, so that it is not evicted.
struct PinnedArtifact {
    artifacts: ArtifactStore,
    digest: Digest,
}

impl EngineRuntime {
    /// Takes the engine, the store that the engine reads artifacts from, and the values
    /// that guests store.
    pub fn new(engine: Engine, artifacts: ArtifactStore, values: KeyValues) -> Self {
        Self { engine, artifacts, values }
    }

    fn pin(&self, digest: Digest) -> PinnedArtifact {
        self.artifacts.pin(digest);
        PinnedArtifact { artifacts: self.artifacts.clone(), digest }
    }
}

impl Runtime for EngineRuntime {
    type Prepared = Code;
    type Call = BoundCall;

    async fn prepare(&self, source: &ArtifactSource, grants: &Grants) -> Result<Arc<Code>, PrepareError> {
        self.engine.prepare(source, grants).await.map_err(prepare_error)
    }

    fn retain(&self, task: &Task) -> RetainGuard {
        let others = task.others.iter().map(|other| other.digest);
        let artifacts: Vec<_> = others.chain([task.digest]).map(|digest| self.pin(digest)).collect();
        Box::new((artifacts, self.engine.warm_pool_guard(task.revision_key())))
    }

    fn warm(&self, task: &Task, prepared: &Arc<Code>, limits: CallLimits) {
        self.engine.warm(&task.revision_key(), prepared, &task.spec.policy, limits);
    }

    async fn forget(&self, task: &Task) {
        if let Err(error) = self.values.remove_namespace(values_of(&task.tenant, &task.id)).await {
            tracing::warn!(%error, "the values of a deleted task could not be deleted");
        }
    }

    async fn upload(
        &self,
        bytes: BoxStream<'static, Result<Bytes, String>>,
    ) -> Result<UploadedArtifact, PrepareError> {
        let (source, bytes) = self.artifacts.upload(bytes).await.map_err(artifact_error)?;
        Ok(UploadedArtifact { source, bytes })
    }

    async fn describe(&self, task: &Task, prepared: &Arc<Code>) -> Description {
        self.engine.describe_code(prepared, &task.spec.source, &task.spec.policy.grants).await
    }

    fn digest(&self, prepared: &Code) -> Digest {
        prepared.digest()
    }

    fn bind(
        &self,
        prepared: &Arc<Code>,
        function: &FunctionName,
        parameters: Vec<Parameter>,
    ) -> Result<BoundCall, BindError> {
        self.engine.bind(prepared, function, parameters)
    }

    fn check(
        &self,
        prepared: &Arc<Code>,
        function: &FunctionName,
        parameters: &[Parameter],
    ) -> Result<(), BindError> {
        self.engine.check(prepared, function, parameters)
    }

    fn bind_request(&self, prepared: &Arc<Code>, request: HttpRequest) -> Result<BoundCall, BindError> {
        self.engine.bind_request(prepared, request)
    }

    async fn shut_down(&self) {
        self.engine.shut_down().await;
    }

    fn run(&self, call: BoundCall, context: CallContext) -> impl Future<Output = Outcome> + Send {
        self.engine.run(call, context)
    }
}

/// The name under which a task's values are stored.
pub(crate) fn values_of(tenant: &TenantId, task: &TaskId) -> String {
    format!("{tenant}/{task}")
}

impl fmt::Debug for EngineRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineRuntime").field("engine", &self.engine).finish_non_exhaustive()
    }
}

impl Drop for PinnedArtifact {
    fn drop(&mut self) {
        self.artifacts.unpin(self.digest);
    }
}

fn prepare_error(error: EngineError) -> PrepareError {
    match error {
        EngineError::Artifact(error) => artifact_error(error),
        error @ (EngineError::Invalid(_)
        | EngineError::CompileLimit(_)
        | EngineError::DoesNotFit(_)
        | EngineError::ImportsNotGranted { .. }) => PrepareError::InvalidCode(error.to_string()),
        EngineError::Settings(message) | EngineError::Internal(message) => PrepareError::Internal(message),
    }
}

fn artifact_error(error: ArtifactError) -> PrepareError {
    let invalid =
        |field, error: ArtifactError| PrepareError::InvalidSource { field, reason: error.to_string() };
    match error {
        error @ ArtifactError::MissingChecksum => invalid(RequestField::ArtifactChecksum, error),
        error @ (ArtifactError::InvalidLocation { .. }
        | ArtifactError::AddressNotPublic { .. }
        | ArtifactError::OutsideRoots { .. }
        | ArtifactError::NoRoots) => invalid(RequestField::ArtifactLocation, error),
        error @ ArtifactError::Unavailable { .. } => PrepareError::Unavailable(error.to_string()),
        ArtifactError::ChecksumMismatch { expected, found } => {
            PrepareError::ChecksumMismatch { expected, found }
        }
        error @ ArtifactError::TooLarge { .. } => PrepareError::InvalidCode(error.to_string()),
        error @ ArtifactError::Storage(_) => PrepareError::Internal(error.to_string()),
    }
}

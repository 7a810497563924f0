//! The [`Runtime`] port over the engine: calls pass through, errors change
//! their names, and nothing else happens here.

use pilum_artifact::ArtifactError;
use pilum_engine::{BoundCall, CallContext, Code, Engine, EngineError, Tap};
use pilum_execution::{BindError, PrepareError, Retained, RunContext, Runtime};
use pilum_types::{ArtifactSource, Digest, FunctionName, Outcome, Parameter};
use std::sync::Arc;

/// Runs functions on the engine.
#[derive(Debug)]
pub struct EngineRuntime(Engine);

impl EngineRuntime {
    /// Takes the engine.
    pub fn new(engine: Engine) -> Self {
        Self(engine)
    }
}

impl Runtime for EngineRuntime {
    type Prepared = Code;
    type Call = BoundCall;

    async fn prepare(&self, source: &ArtifactSource) -> Result<Arc<Code>, PrepareError> {
        self.0.prepare(source).await.map_err(prepare_error)
    }

    fn retain(&self, digest: Digest) -> Retained {
        Box::new(self.0.retain(digest))
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
        self.0.bind(prepared, function, parameters).map_err(|error| bind_error(error, function))
    }

    fn run(&self, call: BoundCall, context: RunContext) -> impl Future<Output = Outcome> + Send {
        // Every call gets a fresh instance, so `force_new_instance` is always honoured.
        let RunContext { task, function, limits, environment, force_new_instance: _, tap } = context;
        let tap = tap.map(|tap| Tap::new(move |line| tap.line(line)));
        self.0.run(call, CallContext { task, function, limits, environment, tap })
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

fn bind_error(error: pilum_engine::BindError, function: &FunctionName) -> BindError {
    use pilum_engine::BindError as Engine;
    let name = function.as_str().to_owned();
    match error {
        Engine::FunctionNotFound { exported } => BindError::FunctionNotFound { name, exported },
        Engine::Ambiguous { candidates } => BindError::Ambiguous { name, candidates },
        Engine::Parameter { path, reason } => BindError::Parameter { path, reason },
    }
}

fn artifact_error(error: ArtifactError) -> PrepareError {
    let invalid =
        |field, error: ArtifactError| PrepareError::InvalidSource { field, reason: error.to_string() };
    match error {
        error @ ArtifactError::MissingChecksum => invalid("artifact_spec.checksum", error),
        error @ (ArtifactError::InvalidLocation { .. }
        | ArtifactError::AddressNotPublic { .. }
        | ArtifactError::OutsideRoots { .. }
        | ArtifactError::NoRoots) => invalid("artifact_spec.location", error),
        error @ ArtifactError::Unavailable { .. } => PrepareError::Unavailable(error.to_string()),
        ArtifactError::ChecksumMismatch { expected, found } => {
            PrepareError::ChecksumMismatch { expected, found }
        }
        error @ ArtifactError::TooLarge { .. } => PrepareError::InvalidCode(error.to_string()),
        error @ ArtifactError::Storage(_) => PrepareError::Internal(error.to_string()),
    }
}

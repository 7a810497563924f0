//! The interface of this crate.

use crate::call::bind::{self, BoundCall};
use crate::call::run;
use crate::code::compile::{CompileQueue, Compiler, Layer};
use crate::code::compiled::Compiled;
use crate::code::docs;
use crate::code::linkers::Linkers;
use crate::code::native::NativeCache;
use crate::code::prepared::Code;
use crate::config::{Allocation, EngineSettings, config};
use crate::error::EngineError;
use crate::guest::services::Services;
use crate::pool::instance_pool::InstancePool;
use crate::pool::ticker::Ticker;
use moka::future::Cache;
use pilum_artifact::{ArtifactStore, VerifiedArtifact};
use pilum_call::{BindError, CallContext, HttpRequest, RevisionKey};
use pilum_types::{
    ArtifactSource, CallLimits, Description, Digest, Failure, FunctionName, FunctionSignature, Grants,
    Import, Outcome, Parameter, Policy,
};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;
use wasmtime::Engine as Wasmtime;

/// How long code that could not be prepared is refused without another try.
const FAILURE_REMEMBERED: Duration = Duration::from_secs(3600);
/// How many such digests are remembered.
const FAILURES_MAX: u64 = 10_000;

/// Prepares artifacts and runs their functions.
pub struct Engine {
    wasmtime: Wasmtime,
    is_pooled: bool,
    artifacts: ArtifactStore,
    linkers: Linkers,
    native: Arc<NativeCache>,
    compile: CompileQueue,
    /// Prepared code, bounded by its bytes.
    prepared: Cache<Digest, Arc<Code>>,
    /// Why code could not be prepared.
    failed: Cache<Digest, EngineError>,
    pool: Arc<InstancePool>,
}

/// Removes a revision's warm pool when this is dropped.
pub struct WarmPoolGuard {
    /// Weak, because a guard must not keep the engine alive.
    pool: Weak<InstancePool>,
    revision: RevisionKey,
}

/// Where an artifact's bytes come from if they are needed.
#[derive(Clone, Copy)]
enum Origin<'a> {
    /// They must be fetched.
    Source(&'a ArtifactSource),
    /// They are here.
    Artifact(&'a VerifiedArtifact),
}

impl Engine {
    /// Reserves memory for instances and opens the caches.
    ///
    /// # Errors
    /// When the directory cannot be used or wasmtime refuses its configuration. If the
    /// memory cannot be reserved, that is no error: instances are then made on demand,
    /// and a warning is logged.
    pub fn new(
        settings: &EngineSettings,
        artifacts: ArtifactStore,
        compiler: Compiler,
        services: Services,
    ) -> Result<Self, EngineError> {
        let (wasmtime, is_pooled) = match Wasmtime::new(&config(settings, Allocation::Pooled)?) {
            Ok(wasmtime) => (wasmtime, true),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "no memory could be reserved for an instance pool; instances are made on demand"
                );
                let config = config(settings, Allocation::OnDemand)?;
                let failed = |error| EngineError::Internal(format!("wasmtime does not start: {error:#}"));
                (Wasmtime::new(&config).map_err(failed)?, false)
            }
        };
        let code_bytes = |_: &Digest, code: &Arc<Code>| u32::try_from(code.image_bytes()).unwrap_or(u32::MAX);
        tracing::info!(
            pooled = is_pooled,
            instance_slots = settings.instance_slots,
            memory_max_bytes = settings.memory_max_bytes,
            metered = settings.metered,
            "engine started"
        );
        let ticker = Ticker::start(&wasmtime)
            .map_err(|error| EngineError::Internal(format!("the epoch thread does not start: {error}")))?;
        Ok(Self {
            linkers: Linkers::new(&wasmtime)?,
            native: Arc::new(NativeCache::open(
                &settings.directory,
                &wasmtime,
                settings.native_cache_max_bytes,
            )?),
            compile: CompileQueue::new(compiler, settings.metered),
            prepared: Cache::builder()
                .max_capacity(settings.code_cache_max_bytes)
                .weigher(code_bytes)
                .build(),
            failed: Cache::builder().max_capacity(FAILURES_MAX).time_to_live(FAILURE_REMEMBERED).build(),
            pool: Arc::new(InstancePool::new(wasmtime.clone(), ticker, services, settings.instance_slots)),
            is_pooled,
            artifacts,
            wasmtime,
        })
    }

    /// Whether memory for instances was reserved at start.
    pub fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Fetches, verifies, compiles and links the code at `source`, or finds it prepared.
    /// If several callers ask for the same code at once, the work is done once.
    ///
    /// # Errors
    /// See [`EngineError`]. Code that is invalid or takes too much to compile is
    /// remembered, and refused without another try for an hour.
    pub async fn prepare(&self, source: &ArtifactSource, grants: &Grants) -> Result<Arc<Code>, EngineError> {
        let code = self.prepare_any(source).await?;
        code.check_grants(grants)?;
        Ok(code)
    }

    /// What an artifact exports and imports, even if it could not run here.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn describe(
        &self,
        artifact: &VerifiedArtifact,
        grants: &Grants,
    ) -> Result<(Vec<FunctionSignature>, Vec<Import>), EngineError> {
        let compiled = self.compiled(artifact.digest(), Origin::Artifact(artifact)).await?;
        let imports = self.linkers.imports(&self.wasmtime, &compiled, grants);
        Ok((compiled.exports(&self.wasmtime)?.signatures, imports))
    }

    /// What prepared code exports and imports, with the docs of its functions.
    pub async fn describe_code(
        &self,
        code: &Arc<Code>,
        source: &ArtifactSource,
        grants: &Grants,
    ) -> Description {
        // Native code has no docs, so they are read from the artifact. If the artifact is
        // no longer kept, there are no docs: nothing is fetched for them.
        let kept = match source.checksum {
            Some(digest) => self.artifacts.load(digest).await.ok().flatten(),
            None => None,
        };
        let docs = match kept {
            Some(artifact) => blocking(move || docs::of(artifact.bytes())).await.unwrap_or_default(),
            None => HashMap::new(),
        };
        let docs = docs.into_iter().collect();
        Description { functions: code.functions().to_vec(), imports: code.imports(grants), docs }
    }

    /// Finds `function` and converts `parameters` to its types.
    ///
    /// # Errors
    /// When there is no such function, or a parameter does not fit its type.
    pub fn bind(
        &self,
        code: &Arc<Code>,
        function: &FunctionName,
        parameters: Vec<Parameter>,
    ) -> Result<BoundCall, BindError> {
        BoundCall::new(code.clone(), function, parameters)
    }

    /// Checks that [`bind`](Self::bind) would succeed, by the same rules. It copies no
    /// parameter and makes no argument.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn check(
        &self,
        code: &Code,
        function: &FunctionName,
        parameters: &[Parameter],
    ) -> Result<(), BindError> {
        bind::check(code, function, parameters)
    }

    /// Binds a request to the http handler in `code`.
    ///
    /// # Errors
    /// When the code has no http handler.
    pub fn bind_request(&self, code: &Arc<Code>, request: HttpRequest) -> Result<BoundCall, BindError> {
        BoundCall::to_handler(code.clone(), request)
    }

    /// A guard that removes the revision's warm pool when it is dropped.
    pub fn warm_pool_guard(&self, revision: RevisionKey) -> WarmPoolGuard {
        WarmPoolGuard { pool: Arc::downgrade(&self.pool), revision }
    }

    /// How many idle instances the warm pools of all revisions hold.
    pub fn warm_instances(&self) -> usize {
        self.pool.warm_pools.idle_instances()
    }

    /// Fills the revision's warm pool with as many instances as the policy asks for.
    /// They are made in a task of their own. Must be called inside a tokio runtime.
    pub fn warm(&self, revision: &RevisionKey, code: &Arc<Code>, policy: &Arc<Policy>, limits: CallLimits) {
        self.pool.warm(revision, code, policy, limits);
    }

    /// Stops everything that the engine runs by itself, and waits until it has ended. Calls
    /// that run are not stopped.
    pub async fn shut_down(&self) {
        self.pool.shut_down().await;
    }

    /// Runs a call to its end within its limits. Dropping the future stops the guest.
    pub fn run(&self, call: BoundCall, context: CallContext) -> impl Future<Output = Outcome> + Send {
        run::run(&self.pool, call, context)
    }

    /// Runs a call as wasmtime alone would: in a new instance, without limits, deadline,
    /// slot or usage. This is for measuring what those cost, with calls that are known
    /// to end.
    ///
    /// # Errors
    /// When the guest fails.
    pub fn run_bare(
        &self,
        call: BoundCall,
        context: CallContext,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        run::run_bare(&self.pool, call, context)
    }

    async fn prepare_any(&self, source: &ArtifactSource) -> Result<Arc<Code>, EngineError> {
        let Some(digest) = source.checksum else {
            let artifact = Box::pin(self.artifacts.fetch(source)).await?;
            return Box::pin(self.prepare_digest(artifact.digest(), Origin::Artifact(&artifact))).await;
        };
        if let Some(code) = self.prepared.get(&digest).await {
            return Ok(code);
        }
        // Boxed, so that a call of prepared code does not carry the state that fetching
        // and compiling need.
        Box::pin(self.prepare_digest(digest, Origin::Source(source))).await
    }

    async fn prepare_digest(&self, digest: Digest, origin: Origin<'_>) -> Result<Arc<Code>, EngineError> {
        if let Some(error) = self.failed.get(&digest).await {
            return Err(error);
        }
        let prepared = loop {
            let mut is_ours = false;
            let prepared = self.prepared.try_get_with(digest, async {
                is_ours = true;
                let compiled = self.compiled(digest, origin).await?;
                self.linkers.link(&self.wasmtime, digest, &compiled).map(Arc::new)
            });
            match prepared.await.map_err(|error| EngineError::clone(&error)) {
                // The location of another caller failed. This caller's location may work,
                // so it tries again.
                Err(EngineError::Artifact(_)) if !is_ours => {}
                prepared => break prepared,
            }
        };
        if let Err(
            error @ (EngineError::Invalid(_)
            | EngineError::CompileLimit(_)
            | EngineError::DoesNotFit(_)
            | EngineError::ImportsNotGranted { .. }),
        ) = &prepared
        {
            self.failed.insert(digest, error.clone()).await;
        }
        prepared
    }

    async fn compiled(&self, digest: Digest, origin: Origin<'_>) -> Result<Compiled, EngineError> {
        let (native, wasmtime) = (self.native.clone(), self.wasmtime.clone());
        match blocking(move || native.load(digest).map(|code| Compiled::load(&wasmtime, &code))).await? {
            Some(Ok(compiled)) => return Ok(compiled),
            Some(Err(error)) => {
                tracing::warn!(%digest, error, "native code on disk does not load; the artifact is compiled again");
            }
            None => {}
        }
        let artifact = match origin {
            Origin::Source(source) => self.artifacts.fetch(source).await?,
            Origin::Artifact(artifact) => artifact.clone(),
        };
        let layer = Layer::of(artifact.bytes())?;
        let calls_run = self.pool.ticker.is_ticking();
        let code = self.compile.compile(&self.wasmtime, layer, &artifact, calls_run).await?;
        let (native, wasmtime) = (self.native.clone(), self.wasmtime.clone());
        let loaded = blocking(move || {
            if let Err(error) = native.store(digest, &code) {
                tracing::warn!(
                    %digest,
                    %error,
                    "native code was not written to disk; the artifact will be compiled again after a restart"
                );
            }
            Compiled::load(&wasmtime, &code)
        });
        // The code compiled, so it is valid. Only its size can still be wrong.
        loaded.await?.map_err(EngineError::DoesNotFit)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.pool.stop.cancel();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("is_pooled", &self.is_pooled).finish_non_exhaustive()
    }
}

impl Drop for WarmPoolGuard {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.warm_pools.remove(&self.revision);
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EngineError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| EngineError::Internal(format!("a blocking task failed: {error}")))
}

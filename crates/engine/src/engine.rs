//! The face of this crate.

use crate::bind::BoundCall;
use crate::call;
use crate::code::{Code, Compiled, Linkers};
use crate::compile::{CompileQueue, Compiler, Layer};
use crate::config::{Allocation, config};
use crate::docs;
use crate::guest::Services;
use crate::house::House;
use crate::native::NativeCache;
use crate::ticker::Ticker;
use crate::{EngineError, EngineSettings};
use bytes::Bytes;
use futures::stream::BoxStream;
use moka::future::Cache;
use pilum_artifact::{ArtifactError, ArtifactStore, VerifiedArtifact};
use pilum_call::{BindError, CallContext, HttpRequest, RevisionKey};
use pilum_types::{
    ArtifactSource, CallLimits, Description, Digest, Failure, FunctionName, FunctionSignature, Grants,
    Import, Outcome, Parameter, Policy,
};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;
use wasmtime::component::Component;
use wasmtime::{Engine as Wasmtime, Module};

/// How long code that could not be made ready is refused without trying again.
const FAILURE_REMEMBERED: Duration = Duration::from_secs(3600);
/// How many such digests are remembered.
const FAILURES_MAX: u64 = 10_000;

/// Makes artifacts ready and runs their functions.
pub struct Engine {
    wasmtime: Wasmtime,
    house: Arc<House>,
    pooled: bool,
    artifacts: ArtifactStore,
    linkers: Linkers,
    native: Arc<NativeCache>,
    compile: CompileQueue,
    ready: Cache<Digest, Arc<Code>>,
    failed: Cache<Digest, EngineError>,
}

impl Engine {
    /// Reserves the pool and opens the caches.
    ///
    /// # Errors
    /// When the directory cannot be used or wasmtime refuses its configuration.
    /// A pool that cannot be reserved is no error: instances are then made on
    /// demand, with a warning.
    pub fn new(
        settings: &EngineSettings,
        artifacts: ArtifactStore,
        compiler: Compiler,
        services: Services,
    ) -> Result<Self, EngineError> {
        let (wasmtime, pooled) = match Wasmtime::new(&config(settings, Allocation::Pooled)?) {
            Ok(wasmtime) => (wasmtime, true),
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "no room for an instance pool; every instance is made on demand"
                );
                let config = config(settings, Allocation::OnDemand)?;
                let failed = |error| EngineError::Internal(format!("wasmtime does not start: {error:#}"));
                (Wasmtime::new(&config).map_err(failed)?, false)
            }
        };
        let code_bytes = |_: &Digest, code: &Arc<Code>| u32::try_from(code.image_bytes()).unwrap_or(u32::MAX);
        tracing::info!(
            pooled,
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
            ready: Cache::builder().max_capacity(settings.code_cache_max_bytes).weigher(code_bytes).build(),
            failed: Cache::builder().max_capacity(FAILURES_MAX).time_to_live(FAILURE_REMEMBERED).build(),
            house: Arc::new(House::new(wasmtime.clone(), ticker, services, settings.instance_slots)),
            pooled,
            artifacts,
            wasmtime,
        })
    }

    /// Whether instances come from a pool.
    pub fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Fetches, verifies, compiles and links, or finds it done. However many
    /// callers ask for the same code at once, it is done once.
    ///
    /// # Errors
    /// See [`EngineError`]. Code that is invalid or takes too much to compile
    /// is remembered and refused without another try for an hour.
    pub async fn prepare(&self, source: &ArtifactSource, grants: &Grants) -> Result<Arc<Code>, EngineError> {
        let code = self.prepare_any(source).await?;
        code.check(grants)?;
        Ok(code)
    }

    async fn prepare_any(&self, source: &ArtifactSource) -> Result<Arc<Code>, EngineError> {
        let Some(digest) = source.checksum else {
            let artifact = Box::pin(self.artifacts.fetch(source)).await?;
            return Box::pin(self.prepare_digest(artifact.digest(), Origin::Artifact(&artifact))).await;
        };
        if let Some(code) = self.ready.get(&digest).await {
            return Ok(code);
        }
        // Boxed, so that a call of ready code does not carry the room that
        // fetching and compiling would need.
        Box::pin(self.prepare_digest(digest, Origin::Source(source))).await
    }

    /// What an artifact exports and imports, whether or not it could run here.
    pub async fn describe(
        &self,
        artifact: &VerifiedArtifact,
        grants: &Grants,
    ) -> Result<(Vec<FunctionSignature>, Vec<Import>), EngineError> {
        let compiled = self.compiled(artifact.digest(), Origin::Artifact(artifact)).await?;
        let imports = compiled.imports(&self.wasmtime, &self.linkers, grants);
        Ok((compiled.exports(&self.wasmtime)?.signatures, imports))
    }

    /// What ready code is, as its callers see it.
    pub async fn describe_code(
        &self,
        code: &Arc<Code>,
        source: &ArtifactSource,
        grants: &Grants,
    ) -> Description {
        // Native code has no docs. Nobody waits for them in vain: what is kept is read,
        // what is not is done without.
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

    /// Keeps an artifact's bytes that somebody brings.
    ///
    /// # Errors
    /// See [`ArtifactStore::upload`].
    pub async fn upload(
        &self,
        bytes: BoxStream<'static, Result<Bytes, String>>,
    ) -> Result<(ArtifactSource, u64), ArtifactError> {
        self.artifacts.upload(bytes).await
    }

    /// Keeps an artifact's bytes on disk for as long as the answer lives.
    pub fn retain(&self, digest: Digest) -> RetainedArtifact {
        self.artifacts.pin(digest);
        RetainedArtifact { artifacts: self.artifacts.clone(), digest }
    }

    /// Finds `function` and fits `parameters` to it.
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

    /// Fits a request to the http handler in `code`.
    ///
    /// # Errors
    /// When there is none.
    pub fn bind_request(&self, code: &Arc<Code>, request: HttpRequest) -> Result<BoundCall, BindError> {
        BoundCall::to_handler(code.clone(), request)
    }

    /// The instances that stand ready for an owner; they go when the answer does.
    pub fn instances(&self, owner: RevisionKey) -> OwnedInstances {
        OwnedInstances { house: Arc::downgrade(&self.house), owner }
    }

    /// How many instances stand ready, of all owners.
    pub fn ready_instances(&self) -> usize {
        self.house.shelves.len().1
    }

    /// Has as many instances stand ready for an owner as the policy asks for. Must be
    /// called inside a tokio runtime.
    pub fn warm(&self, owner: &RevisionKey, code: &Arc<Code>, policy: &Arc<Policy>, limits: CallLimits) {
        self.house.warm(owner, code, policy, limits);
    }

    /// Runs a call to its end within its limits. Dropping the future stops the guest.
    pub fn run(&self, call: BoundCall, context: CallContext) -> impl Future<Output = Outcome> + Send {
        call::run(&self.house, call, context)
    }

    /// Runs a call as wasmtime alone would: a fresh instance and the call, without
    /// limits, deadline, slot or accounts. For measuring what those cost, on calls
    /// that are known to end.
    ///
    /// # Errors
    /// When the guest fails.
    pub fn run_bare(
        &self,
        call: BoundCall,
        context: CallContext,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        call::run_bare(&self.house, call, context)
    }

    async fn prepare_digest(&self, digest: Digest, origin: Origin<'_>) -> Result<Arc<Code>, EngineError> {
        if let Some(error) = self.failed.get(&digest).await {
            return Err(error);
        }
        let made = loop {
            let mut ours = false;
            let made = self.ready.try_get_with(digest, async {
                ours = true;
                let compiled = self.compiled(digest, origin).await?;
                self.linkers.link(&self.wasmtime, digest, &compiled).map(Arc::new)
            });
            match made.await.map_err(|error| EngineError::clone(&error)) {
                // Another caller's location failed, and is none of this one's
                // business: its own may be better.
                Err(EngineError::Artifact(_)) if !ours => {}
                made => break made,
            }
        };
        if let Err(
            error @ (EngineError::Invalid(_)
            | EngineError::CompileLimit(_)
            | EngineError::DoesNotFit(_)
            | EngineError::ImportsNotGranted { .. }),
        ) = &made
        {
            self.failed.insert(digest, error.clone()).await;
        }
        made
    }

    async fn compiled(&self, digest: Digest, origin: Origin<'_>) -> Result<Compiled, EngineError> {
        let (native, wasmtime) = (self.native.clone(), self.wasmtime.clone());
        match blocking(move || native.load(digest).map(|code| load(&wasmtime, &code))).await? {
            Some(Ok(compiled)) => return Ok(compiled),
            Some(Err(error)) => {
                tracing::warn!(%digest, error, "native code on disk does not load; compiling again");
            }
            None => {}
        }
        let artifact = match origin {
            Origin::Source(source) => self.artifacts.fetch(source).await?,
            Origin::Artifact(artifact) => artifact.clone(),
        };
        let layer = Layer::of(artifact.bytes())?;
        let code =
            self.compile.compile(&self.wasmtime, layer, &artifact, self.house.ticker.is_ticking()).await?;
        let (native, wasmtime) = (self.native.clone(), self.wasmtime.clone());
        let kept_and_loaded = blocking(move || {
            if let Err(error) = native.keep(digest, &code) {
                tracing::warn!(%digest, %error, "native code was not kept; it will be compiled again after a restart");
            }
            load(&wasmtime, &code)
        });
        // It compiled, so it is valid; what can still be wrong is its size.
        kept_and_loaded.await?.map_err(EngineError::DoesNotFit)
    }
}

/// Native code that [`NativeCache`] or a compiling child vouches for, into memory.
fn load(wasmtime: &Wasmtime, code: &[u8]) -> Result<Compiled, String> {
    match Wasmtime::detect_precompiled(code) {
        Some(wasmtime::Precompiled::Module) => deserialize_module(wasmtime, code).map(Compiled::Core),
        Some(wasmtime::Precompiled::Component) => {
            deserialize_component(wasmtime, code).map(Compiled::Component)
        }
        None => Err("it is no native code".to_owned()),
    }
}

/// Where an artifact's bytes come from, should they be needed.
#[derive(Clone, Copy)]
enum Origin<'a> {
    /// They are still to be fetched.
    Source(&'a ArtifactSource),
    /// They are here.
    Artifact(&'a VerifiedArtifact),
}

/// Lets an artifact be evicted again when it is dropped.
pub struct RetainedArtifact {
    artifacts: ArtifactStore,
    digest: Digest,
}

impl Drop for RetainedArtifact {
    fn drop(&mut self) {
        self.artifacts.unpin(self.digest);
    }
}

/// Instances that stand ready for an owner, who is gone once this is dropped.
pub struct OwnedInstances {
    /// What stands on a shelf must not keep the engine.
    house: Weak<House>,
    owner: RevisionKey,
}

impl Drop for OwnedInstances {
    fn drop(&mut self) {
        if let Some(house) = self.house.upgrade() {
            house.shelves.remove(&self.owner);
        }
    }
}

#[expect(unsafe_code, reason = "loading our own verified native code, the one exception")]
fn deserialize_module(wasmtime: &Wasmtime, code: &[u8]) -> Result<Module, String> {
    // SAFETY: `code` is what wasmtime's own serializer wrote: it comes either
    // straight from the compiling child, over a pipe nobody else holds, or from
    // a buffer whose keyed MAC `NativeCache::load` has just checked. It is in
    // our own memory, so nobody can change it between that check and this use.
    unsafe { Module::deserialize(wasmtime, code) }.map_err(|error| format!("{error:#}"))
}

#[expect(unsafe_code, reason = "loading our own verified native code, the one exception")]
fn deserialize_component(wasmtime: &Wasmtime, code: &[u8]) -> Result<Component, String> {
    // SAFETY: as for modules, above.
    unsafe { Component::deserialize(wasmtime, code) }.map_err(|error| format!("{error:#}"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EngineError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| EngineError::Internal(format!("a blocking task failed: {error}")))
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.house.stop.cancel();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("pooled", &self.pooled).finish_non_exhaustive()
    }
}

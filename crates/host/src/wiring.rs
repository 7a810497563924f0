//! Puts the parts of a host together: artifact store, engine, store and executions.

use crate::config::Config;
use crate::runtime::EngineRuntime;
use crate::services::{Requests, Values};
use anyhow::{Context, Result};
use pilum_artifact::{ArtifactConfig, ArtifactStore};
use pilum_engine::{Compiler, Engine, EngineSettings, Services};
use pilum_execution::Executions;
use pilum_gateway::GatewayLimits;
use pilum_outbound::Outbound;
use pilum_sqlite::{KeyValues, OpenError, SqliteConfig, SqliteStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The artifacts that a command takes from a person's own files, in bytes at most.
const LOCAL_ARTIFACT_MAX_BYTES: u64 = 256 << 20;
/// The longest timeout of a call that a command makes, in milliseconds: one day. Nobody
/// else waits for this machine, so a person may let a function run long.
const LOCAL_TIMEOUT_MAX_MS: u64 = 86_400_000;
/// What a child that compiles gets in its environment. The allocator's default is to
/// take a gigabyte at once, and a compiling child may have no more than that.
const COMPILE_CHILD_ENVIRONMENT: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// The executions of a host: they run on the engine and are kept in SQLite.
pub type HostExecutions = Executions<EngineRuntime, SqliteStore>;

/// The artifact store that `config` describes.
///
/// # Errors
/// When its directory cannot be used.
pub fn artifacts(config: &Config) -> Result<ArtifactStore> {
    let directory = &config.storage.data_dir;
    let store = ArtifactStore::open(ArtifactConfig {
        directory: directory.clone(),
        file_roots: config.artifacts.roots.clone(),
        max_bytes: config.artifacts.max_bytes,
        fetch_timeout: Duration::from_millis(config.artifacts.fetch_timeout_ms),
        allow_private_addresses: config.artifacts.allow_private_addresses,
        allow_missing_checksum: config.artifacts.allow_missing_checksum,
        disk_max_bytes: config.artifacts.disk_max_bytes,
    });
    store.with_context(|| format!("the data directory {}", directory.display()))
}

/// The engine that `config` describes, with its native code in the directory `native`.
/// It compiles in child processes of this binary.
///
/// # Errors
/// When the data directory cannot be used or wasmtime does not start.
pub fn engine(
    config: &Config,
    artifacts: ArtifactStore,
    native: &Path,
    services: Services,
) -> Result<Engine> {
    let settings = EngineSettings {
        directory: native.to_owned(),
        instance_slots: config.instance_slots(),
        memory_max_bytes: config.limits.memory_max_bytes,
        table_max_elements: config.limits.table_max_elements,
        metered: config.limits.fuel > 0,
        code_cache_max_bytes: config.engine.code_cache_max_bytes,
        native_cache_max_bytes: config.engine.native_cache_max_bytes,
    };
    // On Linux this is the running program itself, even if another version has been
    // installed over its file since.
    let program = if cfg!(target_os = "linux") {
        PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().context("this program's own file")?
    };
    let (name, value) = COMPILE_CHILD_ENVIRONMENT;
    let environment = vec![(name.into(), value.into())];
    let compiler = Compiler::Child { program, arguments: vec!["compile-child".into()], environment };
    Engine::new(&settings, artifacts, compiler, services).context("the engine")
}

/// Starts everything that a host runs behind its listeners. Must be called inside a tokio
/// runtime.
///
/// # Errors
/// As [`artifacts`] and [`engine`], or when the store of executions cannot be opened.
pub fn executions(config: &Config) -> Result<Arc<HostExecutions>> {
    executions_over(config, &config.storage.data_dir.join("native"))
}

/// The same as [`executions`], with native code in the directory `native`. Several hosts
/// may share that directory.
///
/// # Errors
/// As [`executions`].
pub fn executions_over(config: &Config, native: &Path) -> Result<Arc<HostExecutions>> {
    // First, because it takes the data directory for this process alone.
    let store = store(config)?;
    let values = KeyValues::open(&config.storage.data_dir, config.storage.key_value_task_max_bytes)
        .context("the file of functions' values")?;
    let outbound =
        Outbound::new(config.outgoing.allow_private_addresses).context("the client for functions")?;
    let services = Services {
        send_request: Some(Arc::new(Requests::new(outbound))),
        key_value: Some(Arc::new(Values::new(values.clone()))),
    };
    let artifacts = artifacts(config)?;
    let engine = engine(config, artifacts.clone(), native, services)?;
    let runtime = EngineRuntime::new(engine, artifacts, values);
    let executions = Executions::start(runtime, store, config.execution_settings());
    executions.context("the store of executions")
}

/// The store that `config` describes.
///
/// # Errors
/// When it cannot be opened: another process uses it, or another version wrote it.
pub fn store(config: &Config) -> Result<SqliteStore> {
    let directory = config.storage.data_dir.clone();
    let max_bytes = config.storage.executions_max_bytes;
    match SqliteStore::open(&SqliteConfig { directory, max_bytes }) {
        Ok(store) => Ok(store),
        Err(error @ OpenError::InUse { .. }) => {
            Err(error).context("give this host a data directory of its own with --data-dir")
        }
        Err(error) => Err(error.into()),
    }
}

/// The bounds of the listeners, as `config` sets them.
pub fn gateway_limits(config: &Config) -> GatewayLimits {
    GatewayLimits {
        connections_max: usize::try_from(config.listen.max_connections).unwrap_or(usize::MAX),
        drain_max: Duration::from_millis(config.shutdown.drain_timeout_ms),
        ..GatewayLimits::default()
    }
}

/// The configuration of a host that lives as long as one command and runs one file. The
/// file's folder `root` is its artifact root, and no other process uses `data_dir`.
pub fn local_config(root: &Path, data_dir: &Path) -> Config {
    let mut config = Config::default();
    config.storage.data_dir = data_dir.to_owned();
    config.artifacts.roots = vec![root.to_owned()];
    config.artifacts.max_bytes = LOCAL_ARTIFACT_MAX_BYTES;
    config.sync_execution.max_concurrent_requests = 1;
    config.async_execution.max_concurrent_executions = 1;
    config.sync_execution.max_timeout_ms = LOCAL_TIMEOUT_MAX_MS;
    config
}

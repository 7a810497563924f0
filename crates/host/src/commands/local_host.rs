//! A host inside this process, for one command.

use crate::wiring;
use anyhow::{Context, Result};
use pilum_client::Client;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bytes that client and host may have in flight, in each direction.
const STREAM_BYTES: usize = 256 << 10;
/// How long the host may take to end. After a finished call it has nothing to wait for.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Starts a host whose only artifact root is `root`, and gives `work` a client of it.
/// Client and host speak gRPC over a stream in memory.
pub(super) async fn with_host<T>(
    root: &Path,
    data_dir: Option<PathBuf>,
    work: impl AsyncFnOnce(Client) -> Result<T>,
) -> Result<T> {
    let native = data_dir.map_or_else(cache_directory, Ok)?.join("native");
    // Commands share native code. Everything else is in this temporary directory.
    let own = tempfile::tempdir().context("a temporary directory")?;
    let config = wiring::local_config(root, own.path());
    let executions = wiring::executions_over(&config, &native)?;
    let shutdown = CancellationToken::new();
    let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
    let limits = wiring::gateway_limits(&config);
    let serve = pilum_gateway::serve_stream(executions.clone(), theirs, limits, shutdown.clone());
    let work = async {
        let done = work(Client::over(ours).await?).await;
        executions.drain(DRAIN_MAX).await;
        shutdown.cancel();
        done
    };
    let (served, done) = tokio::join!(serve, work);
    served?;
    done
}

/// The directory where native code stays for the next command:
/// `$XDG_CACHE_HOME/pilum`, or `~/.cache/pilum`.
pub(super) fn cache_directory() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("there is no cache directory: set HOME, or give --data-dir")?.join("pilum"))
}

//! The host in this process, for one command.

use crate::wiring;
use anyhow::{Context, Result};
use pilum_client::Client;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Bytes in flight between the client and the host.
const STREAM_BYTES: usize = 256 << 10;
/// How long the host may take to end; a finished call leaves nothing to wait for.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// Starts a host whose one artifact root is `root` and hands a client of it to
/// `work`. The same services as behind a listener, on a stream in memory.
pub(super) async fn with_host<T>(
    root: &Path,
    data_dir: Option<PathBuf>,
    work: impl AsyncFnOnce(Client) -> Result<T>,
) -> Result<T> {
    let native = data_dir.map_or_else(cache_directory, Ok)?.join("native");
    // Native code is shared with other commands; everything else is this one's.
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

/// Where native code is kept for the next time: `$XDG_CACHE_HOME/pilum` or
/// `~/.cache/pilum`.
pub(super) fn cache_directory() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    Ok(cache.context("there is no cache directory: set HOME, or give --data-dir")?.join("pilum"))
}

/// A file's folder and name, both absolute and without links.
pub(super) fn located(file: &Path) -> Result<(PathBuf, PathBuf)> {
    let file = file.canonicalize().with_context(|| format!("the file {}", file.display()))?;
    let root = file.parent().context("a file without a folder")?.to_owned();
    Ok((root, file))
}

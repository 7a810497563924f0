//! Work on files, on threads that serve no calls.

use crate::ArtifactError;

/// Runs `work` on a thread that may block. If the caller goes away, `work` still runs
/// to its end; the runtime waits for it when it shuts down.
pub(crate) async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ArtifactError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ArtifactError::storage("work on files did not end", error))
}

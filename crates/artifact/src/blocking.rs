//! Work on files, away from the threads that serve calls.

use crate::ArtifactError;

/// Runs `work` where it may block. When the caller goes away it still runs to its end.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ArtifactError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ArtifactError::storage("work on files did not end", error))
}

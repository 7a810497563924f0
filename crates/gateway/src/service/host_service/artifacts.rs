//! UploadArtifact.

use crate::error::ApiError;
use bytes::Bytes;
use futures::StreamExt as _;
use pilum_execution::{Executions, Runtime, Store};
use pilum_proto::pilum::v1::{UploadArtifactRequest, UploadArtifactResponse};
use tokio::sync::Semaphore;
use tonic::Streaming;

/// UploadArtifact. Each upload takes one permit of `uploads` and, while there is none,
/// waits at most as long as the request's deadline.
pub(super) async fn upload<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    uploads: &Semaphore,
    chunks: Streaming<UploadArtifactRequest>,
) -> Result<UploadArtifactResponse, ApiError> {
    let permit = uploads.acquire().await;
    assert!(permit.is_ok(), "the semaphore of uploads is never closed");
    let bytes = chunks.map(|chunk| match chunk {
        Ok(message) => Ok(Bytes::from(message.chunk)),
        Err(status) => Err(status.message().to_owned()),
    });
    let uploaded = executions.tasks().upload(Box::pin(bytes)).await?;
    let checksum = uploaded.source.checksum.map(|digest| digest.to_string());
    assert!(checksum.is_some(), "an uploaded artifact has the digest of its bytes as its checksum");
    Ok(UploadArtifactResponse {
        location: uploaded.source.location,
        checksum: checksum.unwrap_or_default(),
        size_bytes: i64::try_from(uploaded.bytes).unwrap_or(i64::MAX),
    })
}

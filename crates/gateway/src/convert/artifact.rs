//! The spec of an artifact: where its code is, and what the caller calls it.

use super::bounds::{LABEL_MAX_BYTES, URL_MAX_BYTES, bounded, metadata};
use crate::error::ApiError;
use pilum_execution::ArtifactLabels;
use pilum_proto::spearlet::ArtifactSpec;
use pilum_types::ArtifactSource;

/// The path of the location on the wire.
const LOCATION: &str = "artifact_spec.location";

/// An artifact as a request gives it.
pub(super) struct Artifact {
    pub(super) source: ArtifactSource,
    pub(super) labels: ArtifactLabels,
    pub(super) metadata: Vec<(String, String)>,
}

/// Reads the spec of an artifact.
pub(super) fn artifact(spec: ArtifactSpec) -> Result<Artifact, ApiError> {
    let metadata = metadata("artifact_spec.metadata", spec.metadata.clone())?;
    let source = source(&spec)?;
    let label = |field: &str, text| bounded(field, text, LABEL_MAX_BYTES);
    let labels = ArtifactLabels {
        id: label("artifact_spec.artifact_id", spec.artifact_id)?,
        kind: label("artifact_spec.artifact_type", spec.artifact_type)?,
        version: label("artifact_spec.version", spec.version)?,
    };
    Ok(Artifact { source, labels, metadata })
}

fn source(spec: &ArtifactSpec) -> Result<ArtifactSource, ApiError> {
    if spec.location.is_empty() {
        return Err(ApiError::field(
            LOCATION,
            "must be given: a file:, http: or https: URL, or what UploadArtifact answered",
        ));
    }
    let location = bounded(LOCATION, spec.location.clone(), URL_MAX_BYTES)?;
    let checksum = match spec.checksum.as_str() {
        "" => None,
        text => match text.parse() {
            Ok(digest) => Some(digest),
            Err(error) => {
                let error: pilum_types::InvalidDigest = error;
                return Err(ApiError::field("artifact_spec.checksum", error.to_string()));
            }
        },
    };
    Ok(ArtifactSource { location, checksum })
}

//! Tasks: named, versioned artifacts.

use pilum_types::{ArtifactSource, Digest, TaskId, TaskName, TenantId};
use std::time::SystemTime;

/// What a caller says of a task it wants registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// The name, unique within the tenant.
    pub name: TaskName,
    /// For people.
    pub description: String,
    /// Where its code is.
    pub source: ArtifactSource,
    /// `artifact_id`, `artifact_type` and `version` as given, shown back.
    pub artifact: ArtifactLabels,
    /// Free key and value pairs, shown back.
    pub metadata: Vec<(String, String)>,
}

/// What the caller calls the artifact. Shown back, never interpreted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArtifactLabels {
    /// `ArtifactSpec.artifact_id`.
    pub id: String,
    /// `ArtifactSpec.artifact_type`.
    pub kind: String,
    /// `ArtifactSpec.version`.
    pub version: String,
}

/// A registered task.
#[derive(Debug)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Whose it is.
    pub tenant: TenantId,
    /// As registered. `source.checksum` is always set: what was found is pinned.
    pub spec: TaskSpec,
    /// The digest of its code.
    pub digest: Digest,
    /// When it was registered.
    pub created_at: SystemTime,
}

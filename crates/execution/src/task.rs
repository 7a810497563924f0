//! Tasks: named, versioned artifacts with their policy.

use pilum_call::RevisionKey;
use pilum_types::{ArtifactSource, Digest, Policy, TaskId, TaskName, TenantId};
use std::sync::Arc;
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
    /// What its owner decided; the default for a task that a call registers.
    pub policy: Arc<Policy>,
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
#[derive(Debug, Clone)]
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
    /// The number of the revision in force, from 1.
    pub revision: u32,
    /// When that was deployed.
    pub deployed_at: SystemTime,
    /// The other revisions that are kept, the latest last.
    pub others: Vec<Revision>,
}

/// A revision of a task that is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its number, from 1 in the order of deployment.
    pub number: u32,
    /// As deployed.
    pub spec: TaskSpec,
    /// The digest of its code.
    pub digest: Digest,
    /// When it was deployed.
    pub deployed_at: SystemTime,
}

impl Task {
    /// A task in its first revision.
    pub fn new(id: TaskId, tenant: TenantId, spec: TaskSpec, digest: Digest, now: SystemTime) -> Self {
        Self { id, tenant, spec, digest, created_at: now, revision: 1, deployed_at: now, others: Vec::new() }
    }

    /// Identifies the revision in force.
    pub fn revision_key(&self) -> RevisionKey {
        RevisionKey { tenant: self.tenant.clone(), task: self.id.clone(), revision: self.revision }
    }

    /// The revision in force.
    pub fn current(&self) -> Revision {
        let Self { revision, spec, digest, deployed_at, .. } = self;
        Revision { number: *revision, spec: spec.clone(), digest: *digest, deployed_at: *deployed_at }
    }

    /// The highest number a revision of it has.
    pub(crate) fn last_number(&self) -> u32 {
        self.others.iter().map(|other| other.number).fold(self.revision, u32::max)
    }

    /// The task with another revision in force; of the others the latest `max`
    /// are kept.
    pub(crate) fn with(&self, revision: Revision, max: usize) -> Self {
        let mut others: Vec<Revision> = self.others.clone();
        others.retain(|other| other.number != revision.number);
        others.push(self.current());
        others.sort_by_key(|other| other.number);
        others.drain(..others.len().saturating_sub(max));
        let Revision { number, spec, digest, deployed_at } = revision;
        Self { spec, digest, revision: number, deployed_at, others, ..self.clone() }
    }
}

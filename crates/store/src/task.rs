//! Tasks: named, versioned artifacts with their policy.

use pilum_call::RevisionKey;
use pilum_types::{ArtifactSource, Digest, Policy, TaskId, TaskName, TenantId};
use std::sync::Arc;
use std::time::SystemTime;

/// A caller's description of a task that it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// The name, unique within the tenant.
    pub name: TaskName,
    /// A text for people.
    pub description: String,
    /// Where its code is.
    pub source: ArtifactSource,
    /// `artifact_id`, `artifact_type` and `version` as the caller gave them.
    pub artifact: ArtifactLabels,
    /// The caller's own pairs of key and value. The host returns them and does not use them.
    pub metadata: Vec<(String, String)>,
    /// The policy of the task's owner. A task that a call registers has the default policy.
    pub policy: Arc<Policy>,
}

/// The caller's own labels of the artifact. The host returns them and does not use them.
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
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// The spec of the active revision. `source.checksum` is always set, to the digest that
    /// the registration found.
    pub spec: TaskSpec,
    /// The digest of its code.
    pub digest: Digest,
    /// When it was registered.
    pub created_at: SystemTime,
    /// The number of the active revision, from 1.
    pub revision: u32,
    /// When the active revision was deployed.
    pub deployed_at: SystemTime,
    /// The other stored revisions, in ascending order of number.
    pub others: Vec<Revision>,
}

/// One revision of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its number, from 1 in the order of deployment.
    pub number: u32,
    /// The spec as it was deployed.
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

    /// Identifies the active revision.
    pub fn revision_key(&self) -> RevisionKey {
        RevisionKey { tenant: self.tenant.clone(), task: self.id.clone(), revision: self.revision }
    }

    /// The active revision.
    pub fn active_revision(&self) -> Revision {
        let Self { revision, spec, digest, deployed_at, .. } = self;
        Revision { number: *revision, spec: spec.clone(), digest: *digest, deployed_at: *deployed_at }
    }

    /// The highest number of a revision.
    pub fn last_number(&self) -> u32 {
        self.others.iter().map(|other| other.number).fold(self.revision, u32::max)
    }

    /// The task with `revision` as its active one. Of the others, only the
    /// `max` with the highest numbers remain.
    pub fn with_revision(&self, revision: Revision, max: usize) -> Self {
        let mut others: Vec<Revision> = self.others.clone();
        others.retain(|other| other.number != revision.number);
        others.push(self.active_revision());
        others.sort_by_key(|other| other.number);
        others.drain(..others.len().saturating_sub(max));
        let Revision { number, spec, digest, deployed_at } = revision;
        Self { spec, digest, revision: number, deployed_at, others, ..self.clone() }
    }
}

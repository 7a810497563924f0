//! Tasks and their revisions.

use super::{nanos, read, time, unreadable, write};
use pilum_store::{ArtifactLabels, Revision, StoreError, Task, TaskSpec};
use pilum_types::{
    ArtifactSource, Digest, Grants, HttpGrant, InstancePolicy, Policy, PolicyLimits, Reuse, TaskId, TaskName,
    TenantId,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way to or from a row")]
enum StoredTask {
    V1 {
        name: String,
        description: String,
        location: String,
        checksum: Option<[u8; 32]>,
        artifact: (String, String, String),
        metadata: Vec<(String, String)>,
        digest: [u8; 32],
        created_at: i64,
    },
    V2 {
        created_at: i64,
        /// The active revision, and the others.
        current: StoredRevision,
        others: Vec<StoredRevision>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredRevision {
    number: u32,
    name: String,
    description: String,
    location: String,
    checksum: Option<[u8; 32]>,
    artifact: (String, String, String),
    metadata: Vec<(String, String)>,
    policy: StoredPolicy,
    digest: [u8; 32],
    deployed_at: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredPolicy {
    timeout: Option<Duration>,
    memory_max_bytes: Option<u64>,
    result_max_bytes: Option<u64>,
    log_max_bytes: Option<u64>,
    reuse: Option<(u32, Duration)>,
    idle_min: u32,
    idle_max: u32,
    environment: Vec<(String, String)>,
    config: Option<Vec<(String, String)>>,
    key_value: bool,
    logging: bool,
    http: Vec<String>,
}

/// A task without the parts that have columns of their own.
pub(in super::super) fn write_task(task: &Task) -> Result<Vec<u8>, StoreError> {
    write(&StoredTask::V2 {
        created_at: nanos(task.created_at),
        current: (&task.active_revision()).into(),
        others: task.others.iter().map(StoredRevision::from).collect(),
    })
}

/// A task from its blob and its columns.
pub(in super::super) fn read_task(blob: &[u8], tenant: TenantId, id: TaskId) -> Result<Task, StoreError> {
    let (created_at, current, others) = match read(blob)? {
        StoredTask::V1 { name, description, location, checksum, artifact, metadata, digest, created_at } => {
            let current = StoredRevision {
                number: 1,
                name,
                description,
                location,
                checksum,
                artifact,
                metadata,
                policy: (&Policy::default()).into(),
                digest,
                deployed_at: created_at,
            };
            (created_at, current, Vec::new())
        }
        StoredTask::V2 { created_at, current, others } => (created_at, current, others),
    };
    let Revision { number, spec, digest, deployed_at } = current.into_domain()?;
    Ok(Task {
        id,
        tenant,
        spec,
        digest,
        created_at: time(created_at),
        revision: number,
        deployed_at,
        others: others.into_iter().map(StoredRevision::into_domain).collect::<Result<_, _>>()?,
    })
}

impl From<&Revision> for StoredRevision {
    fn from(revision: &Revision) -> Self {
        let TaskSpec { name, description, source, artifact, metadata, policy } = &revision.spec;
        Self {
            number: revision.number,
            name: name.as_str().to_owned(),
            description: description.clone(),
            location: source.location.clone(),
            checksum: source.checksum.map(|digest| *digest.as_bytes()),
            artifact: (artifact.id.clone(), artifact.kind.clone(), artifact.version.clone()),
            metadata: metadata.clone(),
            policy: (&**policy).into(),
            digest: *revision.digest.as_bytes(),
            deployed_at: nanos(revision.deployed_at),
        }
    }
}

impl StoredRevision {
    fn into_domain(self) -> Result<Revision, StoreError> {
        let (id, kind, version) = self.artifact;
        let spec = TaskSpec {
            name: TaskName::parse(&self.name).map_err(|error| unreadable(&error))?,
            description: self.description,
            source: ArtifactSource {
                location: self.location,
                checksum: self.checksum.map(Digest::from_bytes),
            },
            artifact: ArtifactLabels { id, kind, version },
            metadata: self.metadata,
            policy: Arc::new(self.policy.into_domain()?),
        };
        let digest = Digest::from_bytes(self.digest);
        Ok(Revision { number: self.number, spec, digest, deployed_at: time(self.deployed_at) })
    }
}

impl From<&Policy> for StoredPolicy {
    fn from(policy: &Policy) -> Self {
        let Policy { limits, instances, environment, grants } = policy;
        Self {
            timeout: limits.timeout,
            memory_max_bytes: limits.memory_max_bytes,
            result_max_bytes: limits.result_max_bytes,
            log_max_bytes: limits.log_max_bytes,
            reuse: instances.reuse.map(|reuse| (reuse.calls_max, reuse.age_max)),
            idle_min: instances.idle_min,
            idle_max: instances.idle_max,
            environment: environment.to_vec(),
            config: grants.config.clone(),
            key_value: grants.key_value,
            logging: grants.logging,
            http: grants.http.iter().map(ToString::to_string).collect(),
        }
    }
}

impl StoredPolicy {
    fn into_domain(self) -> Result<Policy, StoreError> {
        let http = self.http.iter().map(|grant| HttpGrant::parse(grant)).collect::<Result<_, _>>();
        Ok(Policy {
            limits: PolicyLimits {
                timeout: self.timeout,
                memory_max_bytes: self.memory_max_bytes,
                result_max_bytes: self.result_max_bytes,
                log_max_bytes: self.log_max_bytes,
            },
            instances: InstancePolicy {
                reuse: self.reuse.map(|(calls_max, age_max)| Reuse { calls_max, age_max }),
                idle_min: self.idle_min,
                idle_max: self.idle_max,
            },
            environment: self.environment.into(),
            grants: Grants {
                config: self.config,
                key_value: self.key_value,
                logging: self.logging,
                http: http.map_err(|error| unreadable(&error))?,
            },
        })
    }
}

//! Uploads artifacts, deploys tasks, and describes tasks.

use crate::client::Client;
use crate::error::{ClientError, answer};
use crate::read;
use bytes::Bytes;
use pilum_proto::pilum::v1 as wire;
use pilum_proto::spearlet::ArtifactSpec;
use pilum_types::{ArtifactSource, Digest, Import, Policy, TaskId, TaskName};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How much of an artifact one message carries, in bytes: well below the longest message
/// that the host accepts (1 MiB).
const UPLOAD_CHUNK_BYTES: usize = 256 << 10;

/// A task to deploy.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The task's name. A task that has the name already gets a new revision.
    pub name: TaskName,
    /// For people.
    pub description: String,
    /// Where the code is.
    pub source: ArtifactSource,
    /// The owner's name for this version of the code. The host only shows it.
    pub version: String,
    /// What the owner decides about limits, instances and grants.
    pub policy: Policy,
}

/// The result of a deployment or a rollback.
#[derive(Debug, Clone)]
pub struct DeployResult {
    /// The task.
    pub task_id: TaskId,
    /// The active revision.
    pub revision: Revision,
    /// Whether the active revision is another one than before.
    pub changed: bool,
}

/// A revision of a task.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The number, from 1, in the order of deployment.
    pub number: u32,
    /// Where its code is.
    pub location: String,
    /// The digest of its code, `sha256:…`.
    pub digest: String,
    /// The owner's name for this version of the code.
    pub version: String,
    /// When it was deployed.
    pub deployed_at: Option<SystemTime>,
    /// Whether this is the active revision.
    pub is_current: bool,
}

/// The description of a task.
#[derive(Debug, Clone)]
pub struct TaskDescription {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// The kind of its code, such as `component` or `command`.
    pub kind: String,
    /// The functions that can be called.
    pub functions: Vec<FunctionDescription>,
    /// The interfaces that the code imports.
    pub imports: Vec<Import>,
    /// The owner's policy as keys and values for people. Values that are left to the host
    /// are not listed.
    pub policy: Vec<(String, String)>,
    /// The revisions that the host keeps, in ascending order of number.
    pub revisions: Vec<Revision>,
}

/// The description of a function.
#[derive(Debug, Clone)]
pub struct FunctionDescription {
    /// The full name.
    pub name: String,
    /// The parameters and results, written like WIT.
    pub signature: String,
    /// The documentation in the artifact; empty if there is none.
    pub docs: String,
    /// A JSON Schema of its parameters and its result.
    pub json_schema: String,
}

impl Client {
    /// Uploads the bytes of an artifact to the host. Calls `progress` with the number of
    /// bytes sent so far, for each message.
    ///
    /// # Errors
    /// When the host answers with an error, such as for an artifact that is longer than
    /// `artifacts.max_bytes`.
    pub async fn upload(
        &self,
        bytes: Bytes,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<ArtifactSource, ClientError> {
        let total = bytes.len();
        let chunks = (0..total.div_ceil(UPLOAD_CHUNK_BYTES)).map(move |i| {
            let begin = i * UPLOAD_CHUNK_BYTES;
            let chunk = bytes.slice(begin..total.min(begin + UPLOAD_CHUNK_BYTES));
            progress((begin + chunk.len()) as u64);
            wire::UploadArtifactRequest { chunk: chunk.into() }
        });
        let message = answer(self.host_service().upload_artifact(futures::stream::iter(chunks)).await)?;
        let checksum: Result<Digest, _> = message.checksum.parse();
        let checksum = checksum.map_err(|error| ClientError::Answer(format!("a checksum {error}")))?;
        Ok(ArtifactSource { location: message.location, checksum: Some(checksum) })
    }

    /// Registers a task, or makes a new revision of the one with this name.
    ///
    /// # Errors
    /// When the host answers with an error. The task is then unchanged.
    pub async fn deploy(&self, deployment: Deployment) -> Result<DeployResult, ClientError> {
        let Deployment { name, description, source, version, policy } = deployment;
        let request = wire::DeployTaskRequest {
            task_name: name.to_string(),
            description,
            artifact_spec: Some(ArtifactSpec {
                location: source.location,
                checksum: source.checksum.map(|digest| digest.to_string()).unwrap_or_default(),
                version,
                ..ArtifactSpec::default()
            }),
            policy: Some(wire_policy(policy)),
        };
        let message = answer(self.host_service().deploy_task(request).await)?;
        deploy_result(&message.task_id, message.revision, message.changed)
    }

    /// Makes an earlier revision of a task active again: the revision with this number,
    /// or without a number the one before the active one. `task` is a name or an id.
    ///
    /// # Errors
    /// When the host answers with an error, such as for a revision that it does not keep.
    pub async fn rollback(&self, task: &str, revision: Option<u32>) -> Result<DeployResult, ClientError> {
        let request =
            wire::RollbackTaskRequest { task: task.to_owned(), revision: revision.unwrap_or_default() };
        let message = answer(self.host_service().rollback_task(request).await)?;
        deploy_result(&message.task_id, message.revision, message.changed)
    }

    /// Describes a task. `task` is a name or an id.
    ///
    /// # Errors
    /// When there is no such task, or its code cannot be prepared.
    pub async fn describe(&self, task: &str) -> Result<TaskDescription, ClientError> {
        let request = wire::DescribeTaskRequest { task: task.to_owned() };
        let message = answer(self.host_service().describe_task(request).await)?;
        Ok(TaskDescription {
            id: read::task_id(&message.task_id)?,
            name: message.task_name,
            description: message.description,
            kind: message.kind,
            functions: message
                .functions
                .into_iter()
                .map(|function| FunctionDescription {
                    name: function.name,
                    signature: function.signature,
                    docs: function.docs,
                    json_schema: function.json_schema,
                })
                .collect(),
            imports: message
                .imports
                .into_iter()
                .map(|import| Import { name: import.name, granted: import.granted })
                .collect(),
            policy: message.policy.map(policy_lines).unwrap_or_default(),
            revisions: message.revisions.into_iter().map(revision).collect(),
        })
    }
}

fn deploy_result(
    task_id: &str,
    revision: Option<wire::Revision>,
    changed: bool,
) -> Result<DeployResult, ClientError> {
    let revision =
        revision.ok_or_else(|| ClientError::Answer("a deployment without a revision".to_owned()))?;
    Ok(DeployResult { task_id: read::task_id(task_id)?, revision: self::revision(revision), changed })
}

fn revision(revision: wire::Revision) -> Revision {
    let artifact = revision.artifact_spec.unwrap_or_default();
    Revision {
        number: revision.number,
        location: artifact.location,
        digest: artifact.checksum,
        version: artifact.version,
        deployed_at: revision.deployed_at.and_then(|time| time.try_into().ok()),
        is_current: revision.current,
    }
}

fn wire_policy(policy: Policy) -> wire::TaskPolicy {
    let Policy { limits, instances, environment, grants } = policy;
    let long = |number: Option<u64>| number.map_or(0, |n| i64::try_from(n).unwrap_or(i64::MAX));
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    wire::TaskPolicy {
        limits: Some(wire::PolicyLimits {
            timeout_ms: limits.timeout.map_or(0, millis),
            memory_max_bytes: long(limits.memory_max_bytes),
            result_max_bytes: long(limits.result_max_bytes),
            log_max_bytes: long(limits.log_max_bytes),
        }),
        instances: Some(wire::PolicyInstances {
            reuse: instances.reuse.is_some(),
            reuse_calls_max: instances.reuse.map_or(0, |reuse| reuse.calls_max),
            reuse_age_max_s: instances.reuse.map_or(0, |reuse| seconds(reuse.age_max)),
            idle_min: instances.idle_min,
            idle_max: Some(instances.idle_max),
        }),
        environment: environment.iter().cloned().collect(),
        grants: Some(wire::PolicyGrants {
            config: grants.config.is_some(),
            config_values: grants.config.into_iter().flatten().collect::<BTreeMap<_, _>>(),
            key_value: grants.key_value,
            logging: grants.logging,
            http: grants.http.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// The values of a policy that are not left to the host, with the keys of a manifest.
fn policy_lines(policy: wire::TaskPolicy) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut line = |key: &str, value: String| lines.push((key.to_owned(), value));
    let limits = policy.limits.unwrap_or_default();
    for (key, number) in [
        ("limits.timeout_ms", limits.timeout_ms),
        ("limits.memory_max_bytes", limits.memory_max_bytes),
        ("limits.result_max_bytes", limits.result_max_bytes),
        ("limits.log_max_bytes", limits.log_max_bytes),
    ] {
        if number != 0 {
            line(key, number.to_string());
        }
    }
    let instances = policy.instances.unwrap_or_default();
    if instances.reuse {
        line("instances.reuse_calls_max", instances.reuse_calls_max.to_string());
        line("instances.reuse_age_max_s", instances.reuse_age_max_s.to_string());
    }
    if instances.idle_min > 0 {
        line("instances.idle_min", instances.idle_min.to_string());
    }
    for (name, value) in policy.environment {
        line(&format!("env.{name}"), value);
    }
    let grants = policy.grants.unwrap_or_default();
    for (name, value) in grants.config_values {
        line(&format!("grants.config.{name}"), value);
    }
    if grants.key_value {
        line("grants.key_value", "true".to_owned());
    }
    if grants.logging {
        line("grants.logging", "true".to_owned());
    }
    if !grants.http.is_empty() {
        line("grants.http", grants.http.join(", "));
    }
    lines
}

//! Deploying tasks, and what they are.

use crate::{Client, ClientError, read};
use bytes::Bytes;
use pilum_proto::pilum::v1 as wire;
use pilum_proto::spearlet::ArtifactSpec;
use pilum_types::{ArtifactSource, Digest, Import, Policy, TaskId, TaskName};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// How much of an artifact is sent at a time, in bytes.
const UPLOAD_CHUNK_BYTES: usize = 256 << 10;

/// What a task is to be.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Its name.
    pub name: TaskName,
    /// For people.
    pub description: String,
    /// Its code.
    pub source: ArtifactSource,
    /// What its owner calls this version of the code.
    pub version: String,
    /// What its owner decides.
    pub policy: Policy,
}

/// What a deployment or a rollback did.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The task.
    pub task_id: TaskId,
    /// The revision in force.
    pub revision: Revision,
    /// Whether anything differs from before.
    pub changed: bool,
}

/// A revision of a task.
#[derive(Debug, Clone)]
pub struct Revision {
    /// From 1, in the order of deployment.
    pub number: u32,
    /// Where its code came from.
    pub location: String,
    /// The digest of its code.
    pub digest: String,
    /// What its owner calls it.
    pub version: String,
    /// When it was deployed.
    pub deployed_at: Option<SystemTime>,
    /// Whether it is the one in force.
    pub is_current: bool,
}

/// What a task is and takes.
#[derive(Debug, Clone)]
pub struct TaskDescription {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// What its code is: a component, a command, ….
    pub kind: String,
    /// What can be called.
    pub functions: Vec<FunctionDescription>,
    /// What the code imports.
    pub imports: Vec<Import>,
    /// What its owner decided, as lines for people: what is left to the host is not
    /// among them.
    pub policy: Vec<(String, String)>,
    /// The revisions that are kept, in order of number.
    pub revisions: Vec<Revision>,
}

/// A function and what it takes.
#[derive(Debug, Clone)]
pub struct FunctionDescription {
    /// The full name.
    pub name: String,
    /// Like a line of WIT.
    pub signature: String,
    /// What the artifact says about it.
    pub docs: String,
    /// A JSON Schema of its parameters and its result.
    pub json_schema: String,
}

impl Client {
    /// Keeps an artifact's bytes on the host; says how many have left.
    ///
    /// # Errors
    /// When the host refuses, as it does for more than `artifacts.max_bytes`.
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
        let answer = self.host().upload_artifact(futures::stream::iter(chunks)).await?.into_inner();
        let checksum: Result<Digest, _> = answer.checksum.parse();
        let checksum = checksum.map_err(|error| ClientError::Answer(format!("a checksum {error}")))?;
        Ok(ArtifactSource { location: answer.location, checksum: Some(checksum) })
    }

    /// Registers a task, or makes a new revision of the one with this name.
    ///
    /// # Errors
    /// When the host refuses; nothing has changed then.
    pub async fn deploy(&self, deployment: Deployment) -> Result<Deployed, ClientError> {
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
        let answer = self.host().deploy_task(request).await?.into_inner();
        deployed(&answer.task_id, answer.revision, answer.changed)
    }

    /// Puts an earlier revision of a task, by name or id, in force again; without a
    /// number the one before the present one.
    ///
    /// # Errors
    /// When the host refuses, as for a revision it does not keep.
    pub async fn rollback(&self, task: &str, revision: Option<u32>) -> Result<Deployed, ClientError> {
        let request =
            wire::RollbackTaskRequest { task: task.to_owned(), revision: revision.unwrap_or_default() };
        let answer = self.host().rollback_task(request).await?.into_inner();
        deployed(&answer.task_id, answer.revision, answer.changed)
    }

    /// What a task, by name or id, is and takes.
    ///
    /// # Errors
    /// When there is none, or its code cannot be made ready.
    pub async fn describe(&self, task: &str) -> Result<TaskDescription, ClientError> {
        let request = wire::DescribeTaskRequest { task: task.to_owned() };
        let answer = self.host().describe_task(request).await?.into_inner();
        Ok(TaskDescription {
            id: read::task_id(&answer.task_id)?,
            name: answer.task_name,
            description: answer.description,
            kind: answer.kind,
            functions: answer
                .functions
                .into_iter()
                .map(|function| FunctionDescription {
                    name: function.name,
                    signature: function.signature,
                    docs: function.docs,
                    json_schema: function.json_schema,
                })
                .collect(),
            imports: answer
                .imports
                .into_iter()
                .map(|import| Import { name: import.name, granted: import.granted })
                .collect(),
            policy: answer.policy.map(policy_lines).unwrap_or_default(),
            revisions: answer.revisions.into_iter().map(revision).collect(),
        })
    }
}

fn deployed(task_id: &str, number: Option<wire::Revision>, changed: bool) -> Result<Deployed, ClientError> {
    let number = number.ok_or_else(|| ClientError::Answer("a deployment without a revision".to_owned()))?;
    Ok(Deployed { task_id: read::task_id(task_id)?, revision: revision(number), changed })
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

/// What differs from what every task has, in the words of a manifest.
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

//! The description of a task: its functions, its policy and its revisions.

use super::execution::timestamp;
use super::numbers::long;
use super::schema::function_schema;
use pilum_execution::{Revision as TaskRevision, Task, TaskDescription};
use pilum_proto::pilum::v1::{
    DescribeTaskResponse, Function, Import, Parameter, PolicyGrants, PolicyInstances, PolicyLimits, Revision,
    TaskPolicy,
};
use pilum_proto::spearlet::ArtifactSpec;
use pilum_types::{FunctionSignature, Policy, ValueType};
use std::time::Duration;

/// The description of a task.
pub(crate) fn task_description(task_description: &TaskDescription) -> DescribeTaskResponse {
    let TaskDescription { task, description } = task_description;
    let docs = |name: &str| {
        let found = description.docs.iter().find(|(function, _)| function == name);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    DescribeTaskResponse {
        task_id: task.id.to_string(),
        task_name: task.spec.name.to_string(),
        description: task.spec.description.clone(),
        kind: description
            .functions
            .first()
            .map_or("library without functions", |function| function.kind.as_str())
            .to_owned(),
        functions: description.functions.iter().map(|f| function(f, docs(&f.name))).collect(),
        imports: description
            .imports
            .iter()
            .map(|import| Import { name: import.name.clone(), granted: import.granted })
            .collect(),
        policy: Some(policy(&task.spec.policy)),
        revisions: revisions(task),
        created_at: Some(timestamp(task.created_at)),
    }
}

/// The active revision of a task.
pub(crate) fn current_revision(task: &Task) -> Revision {
    revision(&task.active_revision(), true)
}

fn revisions(task: &Task) -> Vec<Revision> {
    let mut all: Vec<Revision> = task.others.iter().map(|other| revision(other, false)).collect();
    all.push(current_revision(task));
    all.sort_by_key(|revision| revision.number);
    all
}

fn revision(revision: &TaskRevision, current: bool) -> Revision {
    let spec = &revision.spec;
    let artifact = ArtifactSpec {
        artifact_id: spec.artifact.id.clone(),
        artifact_type: spec.artifact.kind.clone(),
        location: spec.source.location.clone(),
        version: spec.artifact.version.clone(),
        checksum: revision.digest.to_string(),
        metadata: spec.metadata.iter().cloned().collect(),
    };
    Revision {
        number: revision.number,
        artifact_spec: Some(artifact),
        deployed_at: Some(timestamp(revision.deployed_at)),
        current,
    }
}

fn function(function: &FunctionSignature, docs: String) -> Function {
    let parameter = |field: &pilum_types::Field| Parameter {
        name: field.name.clone(),
        r#type: field.ty.to_string(),
        optional: matches!(field.ty, ValueType::Option(_)),
    };
    Function {
        name: function.name.clone(),
        signature: function.to_string(),
        parameters: function.parameters.iter().map(parameter).collect(),
        results: function.results.iter().map(ToString::to_string).collect(),
        docs,
        json_schema: function_schema(function).to_string(),
    }
}

fn policy(policy: &Policy) -> TaskPolicy {
    let Policy { limits, instances, environment, grants } = policy;
    let bytes = |bytes: Option<u64>| bytes.map_or(0, long);
    let seconds = |age: Duration| u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
    TaskPolicy {
        limits: Some(PolicyLimits {
            timeout_ms: limits.timeout.map_or(0, |timeout| long(timeout.as_millis())),
            memory_max_bytes: bytes(limits.memory_max_bytes),
            result_max_bytes: bytes(limits.result_max_bytes),
            log_max_bytes: bytes(limits.log_max_bytes),
        }),
        instances: Some(PolicyInstances {
            reuse: instances.reuse.is_some(),
            reuse_calls_max: instances.reuse.map_or(0, |reuse| reuse.calls_max),
            reuse_age_max_s: instances.reuse.map_or(0, |reuse| seconds(reuse.age_max)),
            idle_min: instances.idle_min,
            idle_max: Some(instances.idle_max),
        }),
        environment: environment.iter().cloned().collect(),
        grants: Some(PolicyGrants {
            config: grants.config.is_some(),
            config_values: grants.config.iter().flatten().cloned().collect(),
            key_value: grants.key_value,
            logging: grants.logging,
            http: grants.http.iter().map(ToString::to_string).collect(),
        }),
    }
}

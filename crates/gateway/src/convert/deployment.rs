//! A deployment: the spec and the policy of a task.

use super::artifact::{Artifact, artifact};
use super::bounds::{FREE_TEXT_MAX_BYTES, bounded, metadata};
use super::parameters::variables;
use crate::error::ApiError;
use pilum_execution::TaskSpec;
use pilum_proto::pilum::v1::{
    DeployTaskRequest, PolicyGrants, PolicyInstances, PolicyLimits as WireLimits, TaskPolicy,
};
use pilum_types::{Grants, HttpGrant, InstancePolicy, Policy, PolicyLimits, Reuse, TaskName};
use std::sync::Arc;
use std::time::Duration;

/// To how many hosts one task may send requests.
const HTTP_GRANTS_MAX: usize = 64;
/// The greatest age that a policy may allow a reused instance, in seconds: one day.
const REUSE_AGE_MAX_S: u32 = 86_400;

/// Reads a deployment.
pub(crate) fn deployment(request: DeployTaskRequest) -> Result<TaskSpec, ApiError> {
    let name = TaskName::parse(&request.task_name)
        .map_err(|error| ApiError::field("task_name", error.to_string()))?;
    let description = bounded("description", request.description, FREE_TEXT_MAX_BYTES)?;
    let Some(spec) = request.artifact_spec else {
        return Err(ApiError::field("artifact_spec", "must be given to deploy a task"));
    };
    let Artifact { source, labels, metadata } = artifact(spec)?;
    let policy = Arc::new(policy(request.policy.unwrap_or_default())?);
    Ok(TaskSpec { name, description, source, artifact: labels, metadata, policy })
}

fn policy(policy: TaskPolicy) -> Result<Policy, ApiError> {
    Ok(Policy {
        limits: limits(&policy.limits.unwrap_or_default())?,
        instances: instances(&policy.instances.unwrap_or_default())?,
        environment: variables("policy.environment", policy.environment)?,
        grants: grants(policy.grants.unwrap_or_default())?,
    })
}

fn limits(limits: &WireLimits) -> Result<PolicyLimits, ApiError> {
    let read = |name: &str, number: i64| match u64::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_negative) => {
            let reason = format!("is {number}, it may not be negative; 0 means the host's own limit");
            Err(ApiError::field(format!("policy.limits.{name}"), reason))
        }
    };
    Ok(PolicyLimits {
        timeout: read("timeout_ms", limits.timeout_ms)?.map(Duration::from_millis),
        memory_max_bytes: read("memory_max_bytes", limits.memory_max_bytes)?,
        result_max_bytes: read("result_max_bytes", limits.result_max_bytes)?,
        log_max_bytes: read("log_max_bytes", limits.log_max_bytes)?,
    })
}

fn instances(instances: &PolicyInstances) -> Result<InstancePolicy, ApiError> {
    let max = InstancePolicy::IDLE_MAX_LIMIT;
    let field = |name: &str, reason: String| Err(ApiError::field(format!("policy.instances.{name}"), reason));
    let (idle_min, idle_max) = (instances.idle_min, instances.idle_max);
    for (name, number) in [("idle_min", idle_min), ("idle_max", idle_max.unwrap_or(0))] {
        if number > max {
            return field(name, format!("is {number}, at most {max} may be ready"));
        }
    }
    if idle_max.is_some_and(|idle_max| idle_max < idle_min) {
        return field("idle_max", format!("is below idle_min, which is {idle_min}"));
    }
    let default = Reuse::default();
    let (calls_max, age_max_s) = (instances.reuse_calls_max, instances.reuse_age_max_s);
    if !instances.reuse && (calls_max > 0 || age_max_s > 0) {
        return field("reuse", "must be set when reuse_calls_max or reuse_age_max_s is set".into());
    }
    if age_max_s > REUSE_AGE_MAX_S {
        return field("reuse_age_max_s", format!("is {age_max_s}, at most {REUSE_AGE_MAX_S} are allowed"));
    }
    let reuse = instances.reuse.then(|| Reuse {
        calls_max: if calls_max == 0 { default.calls_max } else { calls_max },
        age_max: match age_max_s {
            0 => default.age_max,
            seconds => Duration::from_secs(seconds.into()),
        },
    });
    let idle_max = idle_max.unwrap_or(InstancePolicy::IDLE_MAX_DEFAULT.max(idle_min));
    Ok(InstancePolicy { reuse, idle_min, idle_max })
}

fn grants(grants: PolicyGrants) -> Result<Grants, ApiError> {
    let values = metadata("policy.grants.config_values", grants.config_values)?;
    if !grants.config && !values.is_empty() {
        return Err(ApiError::field("policy.grants.config", "must be set when config_values has entries"));
    }
    if grants.http.len() > HTTP_GRANTS_MAX {
        let reason = format!("has {} entries, at most {HTTP_GRANTS_MAX} are allowed", grants.http.len());
        return Err(ApiError::field("policy.grants.http", reason));
    }
    let http = grants.http.iter().enumerate().map(|(i, text)| {
        HttpGrant::parse(text)
            .map_err(|error| ApiError::field(format!("policy.grants.http[{i}]"), error.to_string()))
    });
    Ok(Grants {
        config: grants.config.then_some(values),
        key_value: grants.key_value,
        logging: grants.logging,
        http: http.collect::<Result<_, _>>()?,
    })
}

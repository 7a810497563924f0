//! Deployments: a task's spec and policy, and which task is meant.

use super::invocation::artifact;
use super::parameters::variables;
use super::{FREE_TEXT_MAX_BYTES, bounded, metadata};
use crate::error::Rejection;
use pilum_execution::TaskSpec;
use pilum_proto::pilum::v1::{
    DeployTaskRequest, PolicyGrants, PolicyInstances, PolicyLimits as WireLimits, TaskPolicy,
};
use pilum_types::{Grants, HttpGrant, InstancePolicy, Policy, PolicyLimits, Reuse, TaskName};
use std::sync::Arc;
use std::time::Duration;

/// Hosts that one task may send requests to.
const HTTP_GRANTS_MAX: usize = 64;
/// How old an instance may be asked to get, in seconds: a day.
const REUSE_AGE_MAX_S: u32 = 86_400;

/// Reads a deployment.
pub(crate) fn deployment(request: DeployTaskRequest) -> Result<TaskSpec, Rejection> {
    let name = TaskName::parse(&request.task_name)
        .map_err(|error| Rejection::field("task_name", error.to_string()))?;
    let description = bounded("description", request.description, FREE_TEXT_MAX_BYTES)?;
    let Some(spec) = request.artifact_spec else {
        return Err(Rejection::field("artifact_spec", "must be given to deploy a task"));
    };
    let (source, artifact, metadata) = artifact(spec)?;
    let policy = Arc::new(policy(request.policy.unwrap_or_default())?);
    Ok(TaskSpec { name, description, source, artifact, metadata, policy })
}

fn policy(policy: TaskPolicy) -> Result<Policy, Rejection> {
    Ok(Policy {
        limits: limits(&policy.limits.unwrap_or_default())?,
        instances: instances(&policy.instances.unwrap_or_default())?,
        environment: variables("policy.environment", policy.environment)?,
        grants: grants(policy.grants.unwrap_or_default())?,
    })
}

fn limits(limits: &WireLimits) -> Result<PolicyLimits, Rejection> {
    let read = |name: &str, number: i64| match u64::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_negative) => {
            let reason = format!("is {number}, it may not be negative; 0 takes the host's");
            Err(Rejection::field(format!("policy.limits.{name}"), reason))
        }
    };
    Ok(PolicyLimits {
        timeout: read("timeout_ms", limits.timeout_ms)?.map(Duration::from_millis),
        memory_max_bytes: read("memory_max_bytes", limits.memory_max_bytes)?,
        result_max_bytes: read("result_max_bytes", limits.result_max_bytes)?,
        log_max_bytes: read("log_max_bytes", limits.log_max_bytes)?,
    })
}

fn instances(instances: &PolicyInstances) -> Result<InstancePolicy, Rejection> {
    let max = InstancePolicy::IDLE_MAX_LIMIT;
    let field =
        |name: &str, reason: String| Err(Rejection::field(format!("policy.instances.{name}"), reason));
    let (idle_min, idle_max) = (instances.idle_min, instances.idle_max);
    for (name, number) in [("idle_min", idle_min), ("idle_max", idle_max.unwrap_or(0))] {
        if number > max {
            return field(name, format!("is {number}, at most {max} may stand ready"));
        }
    }
    if idle_max.is_some_and(|idle_max| idle_max < idle_min) {
        return field("idle_max", format!("is below idle_min, which is {idle_min}"));
    }
    let default = Reuse::default();
    let (calls_max, age_max_s) = (instances.reuse_calls_max, instances.reuse_age_max_s);
    if !instances.reuse && (calls_max > 0 || age_max_s > 0) {
        return field(
            "reuse",
            "must be set for reuse_calls_max and reuse_age_max_s to mean something".into(),
        );
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

fn grants(grants: PolicyGrants) -> Result<Grants, Rejection> {
    let values = metadata("policy.grants.config_values", grants.config_values)?;
    if !grants.config && !values.is_empty() {
        return Err(Rejection::field("policy.grants.config", "must be set for config_values to be seen"));
    }
    if grants.http.len() > HTTP_GRANTS_MAX {
        let reason = format!("has {} entries, at most {HTTP_GRANTS_MAX} are allowed", grants.http.len());
        return Err(Rejection::field("policy.grants.http", reason));
    }
    let http = grants.http.iter().enumerate().map(|(i, text)| {
        HttpGrant::parse(text)
            .map_err(|error| Rejection::field(format!("policy.grants.http[{i}]"), error.to_string()))
    });
    Ok(Grants {
        config: grants.config.then_some(values),
        key_value: grants.key_value,
        logging: grants.logging,
        http: http.collect::<Result<_, _>>()?,
    })
}

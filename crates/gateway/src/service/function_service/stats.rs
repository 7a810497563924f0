//! GetStats: what the host counted since it started.

use crate::convert;
use crate::error::ApiError;
use crate::process;
use crate::reply;
use pilum_execution::{Executions, Runtime, Store};
use pilum_proto::spearlet::{GetStatsRequest, GetStatsResponse};
use pilum_types::TenantId;

/// How many functions the statistics list: the most called ones.
const FUNCTIONS_MAX: usize = 100;

/// GetStats.
pub(super) async fn stats<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: TenantId,
    request: GetStatsRequest,
) -> Result<GetStatsResponse, ApiError> {
    convert::check_time_range(request.time_range_hours)?;
    let stats = executions.query().stats().await?;
    let task_stats = || {
        let all = executions.settings().max_tasks;
        reply::task_stats(executions.tasks().list(&tenant, "", "", all))
    };
    let execution_stats =
        || reply::execution_stats(&stats, executions.query().calls_by_function(&tenant, FUNCTIONS_MAX));
    Ok(GetStatsResponse {
        service_stats: Some(reply::service_stats(&stats, &process::measure())),
        task_stats: request.include_task_stats.then(task_stats),
        execution_stats: request.include_execution_stats.then(execution_stats),
    })
}

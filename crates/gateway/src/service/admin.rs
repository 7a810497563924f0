//! Tasks, health and statistics.

use super::Functions;
use crate::convert;
use crate::error::Rejection;
use crate::process::usage;
use crate::reply;
use pilum_execution::{DeleteResult, ListQuery, RequestError, Runtime, Stats, Store};
use pilum_proto::spearlet::{
    DeleteTaskRequest, DeleteTaskResponse, ExecutionInfo, GetHealthRequest, GetHealthResponse,
    GetStatsRequest, GetStatsResponse, GetTaskRequest, GetTaskResponse, ListTasksRequest, ListTasksResponse,
};
use pilum_types::{TaskId, TenantId};

/// How many functions statistics show.
const FUNCTIONS_MAX: usize = 100;

impl<R: Runtime, S: Store> Functions<R, S> {
    pub(super) fn tasks(
        &self,
        tenant: &TenantId,
        request: ListTasksRequest,
    ) -> Result<ListTasksResponse, Rejection> {
        let asked = convert::task_page(request)?;
        // One more than asked for tells whether another page follows.
        let found = self.executions.tasks().list(tenant, &asked.prefix, &asked.start_after, asked.limit + 1);
        let page = reply::page(found.iter().map(|view| reply::task_info(view, asked.details)), asked.limit);
        let last = page.entries.last().filter(|_| page.has_more);
        Ok(ListTasksResponse {
            next_start_after: last.map(|info| info.task_name.clone()).unwrap_or_default(),
            has_more: page.has_more,
            tasks: page.entries,
        })
    }

    pub(super) async fn task(
        &self,
        tenant: TenantId,
        request: GetTaskRequest,
    ) -> Result<GetTaskResponse, Rejection> {
        let limit = convert::limit("execution_limit", request.execution_limit)?;
        // A malformed id is nobody's: it is answered as any unknown one.
        let id = TaskId::parse(&request.task_id).ok();
        let Some(view) = id.and_then(|id| self.executions.tasks().get(&tenant, &id)) else {
            return Ok(GetTaskResponse { message: "no such task".to_owned(), ..GetTaskResponse::default() });
        };
        let executions = if request.include_executions {
            self.executions_of(&tenant, view.task.id.clone(), limit).await?
        } else {
            Vec::new()
        };
        Ok(GetTaskResponse {
            found: true,
            task: Some(reply::task_info(&view, true)),
            executions,
            message: String::new(),
        })
    }

    async fn executions_of(
        &self,
        tenant: &TenantId,
        id: TaskId,
        limit: usize,
    ) -> Result<Vec<ExecutionInfo>, Rejection> {
        let query = ListQuery { task_id: Some(id), limit, ..ListQuery::default() };
        let found = self.executions.query().list(tenant, &query).await?;
        Ok(reply::page(found.iter().map(reply::execution_info), limit).entries)
    }

    pub(super) async fn delete(
        &self,
        tenant: TenantId,
        request: DeleteTaskRequest,
    ) -> Result<DeleteTaskResponse, Rejection> {
        let (force, cleanup) = (request.force, request.cleanup_executions);
        let deleted = match TaskId::parse(&request.task_id) {
            Ok(id) => self.executions.deletion().delete_task(&tenant, &id, force, cleanup).await?,
            Err(_nobodys) => DeleteResult::Unknown,
        };
        match deleted {
            DeleteResult::Done { cleaned_executions } => Ok(DeleteTaskResponse {
                success: true,
                message: "deleted".to_owned(),
                deleted: true,
                cleaned_executions: cleaned_executions.try_into().unwrap_or(i32::MAX),
            }),
            DeleteResult::Busy { active } => Ok(DeleteTaskResponse {
                message: format!("{active} of its executions wait or run; set force to cancel them"),
                ..DeleteTaskResponse::default()
            }),
            DeleteResult::Unknown => Err(RequestError::TaskNotFound { id: request.task_id }.into()),
        }
    }

    /// Always answers: a host that cannot count is an unhealthy one.
    pub(super) async fn health(&self, request: GetHealthRequest) -> GetHealthResponse {
        let stats = match self.executions.query().stats().await {
            Ok(stats) => stats,
            Err(refusal) => {
                tracing::error!(%refusal, "the store cannot be read");
                return GetHealthResponse {
                    status: "unhealthy".to_owned(),
                    message: "executions cannot be read".to_owned(),
                    ..GetHealthResponse::default()
                };
            }
        };
        let settings = self.executions.settings();
        let (status, message) = self.condition(&stats);
        let details = || reply::health_details(&stats, &usage(), settings);
        GetHealthResponse {
            status: status.to_owned(),
            message: message.to_owned(),
            uptime_seconds: stats.uptime.as_secs().try_into().unwrap_or(i64::MAX),
            details: request.include_details.then(details),
        }
    }

    fn condition(&self, stats: &Stats) -> (&'static str, &'static str) {
        let settings = self.executions.settings();
        let at_bound = |now: u64, max: usize| usize::try_from(now).is_ok_and(|now| now >= max);
        if self.executions.is_draining() {
            ("degraded", "shutting down: no new work is taken")
        } else if at_bound(stats.pending, settings.asynchronous.max_queue_size) {
            ("degraded", "the queue of asynchronous executions is full")
        } else if stats.store.bytes >= stats.store.max_bytes && stats.store.max_bytes > 0 {
            ("degraded", "what is kept of asynchronous executions has reached its bound in bytes")
        } else if at_bound(stats.sync_slots_in_use, settings.sync.max_concurrent_requests) {
            ("degraded", "all slots for synchronous calls are taken")
        } else {
            ("healthy", "")
        }
    }

    pub(super) async fn stats(
        &self,
        tenant: TenantId,
        request: GetStatsRequest,
    ) -> Result<GetStatsResponse, Rejection> {
        if request.time_range_hours < 0 {
            return Err(Rejection::field("time_range_hours", "may not be negative"));
        }
        let stats = self.executions.query().stats().await?;
        let all_tasks = || {
            let bound = self.executions.settings().max_tasks;
            reply::task_stats(self.executions.tasks().list(&tenant, "", "", bound))
        };
        let executions = || {
            reply::execution_stats(&stats, self.executions.query().calls_by_function(&tenant, FUNCTIONS_MAX))
        };
        Ok(GetStatsResponse {
            service_stats: Some(reply::service_stats(&stats, &usage())),
            task_stats: request.include_task_stats.then(all_tasks),
            execution_stats: request.include_execution_stats.then(executions),
        })
    }
}

//! What all RPCs have in common: the tenant of a request, a response or an error
//! status, and pages of executions.

use crate::error::ApiError;
use crate::identity::tenant_of;
use crate::reply;
use pilum_execution::{Executions, ListQuery, Runtime, Store};
use pilum_proto::spearlet::ExecutionInfo;
use pilum_types::TenantId;
use tonic::{Request, Response, Status};

/// A page of executions.
pub(super) struct ExecutionPage {
    pub(super) executions: Vec<ExecutionInfo>,
    pub(super) has_more: bool,
    /// Where the next page begins; empty if there is none.
    pub(super) next_start_after: String,
}

/// The tenant of a request, and its message.
pub(super) fn tenant_and_message<T>(request: Request<T>) -> (TenantId, T) {
    let (metadata, _, message) = request.into_parts();
    (tenant_of(&metadata.into_headers()), message)
}

/// A message as a response, an error as its status.
pub(super) fn response<T>(result: Result<T, ApiError>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(Status::from)
}

/// A page of executions. The query asks for one more than the page holds, which tells
/// whether another page follows.
pub(super) async fn execution_page<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    query: ListQuery,
) -> Result<ExecutionPage, ApiError> {
    let limit = query.limit;
    let query = ListQuery { limit: limit + 1, ..query };
    let found = executions.query().list(tenant, &query).await?;
    let page = reply::page(found.iter().map(reply::execution_info), limit);
    let last = page.entries.last().filter(|_| page.has_more);
    let next_start_after = last.map(|info| info.execution_id.clone()).unwrap_or_default();
    Ok(ExecutionPage { executions: page.entries, has_more: page.has_more, next_start_after })
}

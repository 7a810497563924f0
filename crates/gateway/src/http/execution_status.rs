//! `/status/{id}` and its long form: how an execution stands, as JSON.

use super::error_response::{error_response, within};
use super::execution_json::execution_json;
use super::state::HttpState;
use crate::convert;
use crate::error::ApiError;
use crate::identity::tenant_of;
use crate::limits::HTTP_REQUEST_TIMEOUT;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use pilum_execution::{Runtime, Store};
use pilum_types::{ExecutionId, TenantId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Answers with the execution's status; with `?wait=` when the execution has ended, or
/// after the wait.
pub(super) async fn serve<R: Runtime, S: Store>(
    State(state): State<Arc<HttpState<R, S>>>,
    Path(id): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let wait = match convert::wait(&query) {
        Ok(wait) => wait,
        Err(error) => return error_response(&error),
    };
    within(wait + HTTP_REQUEST_TIMEOUT, status(&state, id, &tenant_of(&headers), wait)).await
}

async fn status<R: Runtime, S: Store>(
    state: &HttpState<R, S>,
    text: String,
    tenant: &TenantId,
    wait: Duration,
) -> Response {
    let found = match ExecutionId::parse(&text) {
        Ok(id) if wait.is_zero() => state.executions.query().execution(tenant, &id).await,
        Ok(id) => tokio::select! {
            found = state.executions.query().wait(tenant, &id, wait) => found,
            // A host that shuts down does not let the client wait any longer.
            () = state.draining.cancelled() => state.executions.query().execution(tenant, &id).await,
        },
        // No execution has a malformed id, so the answer is the same as for an unknown id.
        Err(_malformed) => Ok(None),
    };
    match found {
        Ok(Some(found)) => Json(execution_json(&found)).into_response(),
        Ok(None) => error_response(&ApiError::ExecutionNotFound { id: text }),
        Err(error) => error_response(&error.into()),
    }
}

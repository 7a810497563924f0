//! Which path goes to which route.

use super::error_response::error_response;
use super::state::HttpState;
use super::{execution_status, functions, probes};
use crate::error::ApiError;
use crate::limits::HTTP_BODY_MAX_BYTES;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use pilum_execution::{Runtime, Store};
use std::sync::Arc;

/// Every route of the HTTP listener.
pub(super) fn router<R: Runtime, S: Store>(state: HttpState<R, S>) -> Router {
    Router::new()
        .route("/api/v1/execution/{id}/status", get(execution_status::serve::<R, S>))
        .route("/status/{id}", get(execution_status::serve::<R, S>))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(probes::ready::<R, S>))
        .route("/metrics", get(probes::metrics::<R, S>))
        .route("/fn/{task}", any(functions::serve::<R, S>))
        .route("/fn/{task}/", any(functions::serve::<R, S>))
        .route("/fn/{task}/{*path}", any(functions::serve::<R, S>))
        .fallback(async || error_response(&ApiError::PathNotFound))
        .layer(DefaultBodyLimit::max(HTTP_BODY_MAX_BYTES))
        .with_state(Arc::new(state))
}

//! `/readyz` and `/metrics`: what load balancers and monitoring read.

use super::error_response::{error_response, within};
use super::metrics as openmetrics;
use super::state::HttpState;
use crate::error::ApiError;
use crate::limits::HTTP_REQUEST_TIMEOUT;
use crate::process;
use crate::status::ErrorStatus;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use pilum_execution::{RequestError, Runtime, Store};
use std::sync::Arc;

/// `/readyz`: whether the host takes new work.
pub(super) async fn ready<R: Runtime, S: Store>(State(state): State<Arc<HttpState<R, S>>>) -> Response {
    if state.draining.is_cancelled() || state.executions.is_draining() {
        let status = ErrorStatus::from(&ApiError::Request(RequestError::Draining));
        (status.http, "draining\n").into_response()
    } else {
        "ready\n".into_response()
    }
}

/// `/metrics`: the host's counters as OpenMetrics text.
pub(super) async fn metrics<R: Runtime, S: Store>(State(state): State<Arc<HttpState<R, S>>>) -> Response {
    within(HTTP_REQUEST_TIMEOUT, encoded(&state)).await
}

async fn encoded<R: Runtime, S: Store>(state: &HttpState<R, S>) -> Response {
    let stats = match state.executions.query().stats().await {
        Ok(stats) => stats,
        Err(error) => return error_response(&error.into()),
    };
    match openmetrics::encode(stats, process::measure()) {
        Ok(text) => ([(header::CONTENT_TYPE, openmetrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => error_response(&ApiError::MetricsNotWritten),
    }
}

//! Errors as HTTP responses.

use crate::error::ApiError;
use crate::status::ErrorStatus;
use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

/// An error as a response: its HTTP status, and `{"error": {"code": …, "message": …}}`.
pub(super) fn error_response(error: &ApiError) -> Response {
    let status = ErrorStatus::from(error);
    let body = json!({ "error": { "code": status.json_code, "message": status.message } });
    (status.http, Json(body)).into_response()
}

/// The response, or an error if it does not come within `bound`.
pub(super) async fn within(bound: Duration, response: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(bound, response).await {
        Ok(response) => response,
        Err(_elapsed) => error_response(&ApiError::ResponseTimeout),
    }
}

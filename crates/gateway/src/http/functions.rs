//! `/fn/{task}/…`: requests that the http handler of a task answers.
//!
//! Bodies stream both ways. The handler gets the path after the name of its task, and
//! no header that describes the connection instead of the request.

use super::error_response::error_response;
use super::state::HttpState;
use crate::error::ApiError;
use crate::identity::tenant_of;
use crate::limits::{FUNCTION_BODY_MAX_BYTES, FUNCTION_BODY_TIMEOUT};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::Response;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use pilum_call::HTTP_HANDLER_FUNCTION;
use pilum_execution::{
    Execution, HttpBody, HttpReply, HttpRequest, Invocation, Mode, RequestError, Runtime, Schedule, Store,
    Target,
};
use pilum_types::{FailureCode, FunctionName, TenantId};
use std::sync::Arc;

/// How the path of a request to an http handler begins.
const PREFIX: &str = "/fn/";
/// The header with the id of the execution that answered.
const EXECUTION_ID: HeaderName = HeaderName::from_static("pilum-execution-id");
/// Headers that are valid for one connection only.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Lets the http handler of the task in the path answer.
pub(super) async fn serve<R: Runtime, S: Store>(
    State(state): State<Arc<HttpState<R, S>>>,
    request: Request,
) -> Response {
    let tenant = tenant_of(request.headers());
    if request.headers().get(HOST).is_some_and(|host| host.to_str().is_err()) {
        return error_response(&ApiError::HostHeaderNotText);
    }
    let (task, uri) = match task_and_path(request.uri()) {
        Ok(found) => found,
        Err(error) => return error_response(&error),
    };
    match state.executions.handle(invocation(tenant, task), handler_request(request, uri)).await {
        Ok(HttpReply::Response(response)) => client_response(response),
        Ok(HttpReply::Ended(execution)) => failed_response(&execution),
        Err(error) => error_response(&error.into()),
    }
}

/// The name or the id of the task in a path, and the path after the task.
fn task_and_path(uri: &Uri) -> Result<(String, Uri), ApiError> {
    let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (task, rest) = path.split_once('/').unwrap_or((path, ""));
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // The rest of a valid path is valid too, so this error is not expected.
    let inner = PathAndQuery::try_from(format!("/{rest}{query}"))
        .map_err(|_| ApiError::from(RequestError::TaskNotFound { id: task.to_owned() }))?;
    Ok((task.to_owned(), Uri::from(inner)))
}

fn invocation(tenant: TenantId, task: String) -> Invocation {
    let Ok(function) = FunctionName::parse(HTTP_HANDLER_FUNCTION) else {
        unreachable!("{HTTP_HANDLER_FUNCTION:?} is a valid function name");
    };
    Invocation {
        tenant,
        target: Target::NameOrId(task),
        function,
        parameters: Vec::new(),
        mode: Mode::Http,
        execution_id: None,
        timeout: None,
        max_retries: None,
        environment: [].into(),
        force_new_instance: false,
        schedule: Schedule::default(),
        callback: None,
    }
}

/// The request as the handler gets it.
fn handler_request(request: Request, uri: Uri) -> HttpRequest {
    let (mut parts, body) = request.into_parts();
    parts.uri = uri;
    remove_connection_headers(&mut parts.headers);
    if !parts.headers.contains_key(HOST) {
        // HTTP/1.0 requires no Host header, but a handler expects one.
        parts.headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
    HttpRequest::from_parts(parts, bounded(body))
}

/// The body, with an error where it exceeds [`FUNCTION_BODY_MAX_BYTES`] or its sender
/// pauses for longer than [`FUNCTION_BODY_TIMEOUT`].
fn bounded(body: Body) -> HttpBody {
    let frames = body.into_data_stream();
    let timed = futures::stream::unfold(frames, |mut frames| async move {
        let next = tokio::time::timeout(FUNCTION_BODY_TIMEOUT, frames.next()).await;
        let frame = match next {
            Ok(frame) => frame?.map_err(pilum_execution::HttpBodyError::from),
            Err(_elapsed) => Err("the sender paused for too long".into()),
        };
        Some((frame.map(hyper::body::Frame::data), frames))
    });
    Limited::new(StreamBody::new(Box::pin(timed)), FUNCTION_BODY_MAX_BYTES).boxed_unsync()
}

/// The handler's response as the client gets it.
fn client_response(response: pilum_execution::HttpResponse) -> Response {
    let (mut parts, body) = response.into_parts();
    remove_connection_headers(&mut parts.headers);
    // Only the host may say which execution answered.
    parts.headers.remove(EXECUTION_ID);
    if parts.status.is_informational() {
        return error_response(&ApiError::HandlerInformationalStatus);
    }
    Response::from_parts(parts, Body::new(body))
}

/// Removes the headers that are valid for one connection only, and those that the
/// `Connection` header names.
fn remove_connection_headers(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The response for an execution that ended without one, with the execution's id.
fn failed_response(execution: &Execution) -> Response {
    let code = execution.failure().map_or(FailureCode::HostError, |failure| failure.code);
    let mut response = error_response(&ApiError::HandlerFailed { code });
    let Ok(id) = HeaderValue::from_str(execution.id.as_str()) else {
        unreachable!("the characters of an id are valid in a header");
    };
    response.headers_mut().insert(EXECUTION_ID, id);
    response
}

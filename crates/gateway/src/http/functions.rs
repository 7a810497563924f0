//! `/fn/{task}/…`: requests that a task's http handler answers.
//!
//! Bodies stream both ways. The handler sees the path behind its task's name, and
//! no header that speaks of the connection rather than of the request.

use super::{Door, error, rejected};
use crate::error::Rejection;
use crate::identity::tenant_of;
use crate::limits::{FUNCTION_BODY_MAX_BYTES, FUNCTION_BODY_TIMEOUT};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Limited, StreamBody};
use pilum_execution::{
    Execution, Executions, HttpBody, HttpReply, HttpRequest, Invocation, Mode, RequestError, Runtime,
    Schedule, Store, Target,
};
use pilum_types::{FailureCode, FunctionName, TaskId, TenantId};
use std::sync::Arc;

/// The path that requests to functions begin with.
pub(super) const PREFIX: &str = "/fn/";
/// The name under which a handler's executions are listed.
const HANDLE: &str = "handle";
/// The header that tells which execution answered.
const EXECUTION_ID: HeaderName = HeaderName::from_static("pilum-execution-id");
/// Headers that hold for one connection only.
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

/// Has the handler of the task in the path answer.
pub(super) async fn serve<R: Runtime, S: Store>(
    State(door): State<Arc<Door<R, S>>>,
    request: Request,
) -> Response {
    let tenant = tenant_of(request.headers());
    if request.headers().get(HOST).is_some_and(|host| host.to_str().is_err()) {
        return error(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", "the host is no text");
    }
    let answered = match addressed(&door.executions, &tenant, request.uri()) {
        Ok((id, uri)) => match invocation(tenant, id) {
            Ok(invocation) => door.executions.handle(invocation, inward(request, uri)).await,
            Err(rejection) => return rejected(&rejection),
        },
        Err(rejection) => return rejected(&rejection),
    };
    match answered {
        Ok(HttpReply::Response(response)) => outward(response),
        Ok(HttpReply::Ended(execution)) => failed(&execution),
        Err(refusal) => rejected(&refusal.into()),
    }
}

/// The task that a path names, by its name or its id, and the path behind it.
fn addressed<R: Runtime, S: Store>(
    executions: &Executions<R, S>,
    tenant: &TenantId,
    uri: &Uri,
) -> Result<(TaskId, Uri), Rejection> {
    let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    let named = executions.tasks().named(tenant, name).map(|view| view.task.id.clone());
    let by_id = || TaskId::parse(name).ok().filter(|id| executions.tasks().get(tenant, id).is_some());
    let unknown = || Rejection::from(RequestError::TaskNotFound { id: name.to_owned() });
    let id = named.or_else(by_id).ok_or_else(unknown)?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // It was part of a valid one.
    let inner = PathAndQuery::try_from(format!("/{rest}{query}")).map_err(|_| unknown())?;
    Ok((id, Uri::from(inner)))
}

fn invocation(tenant: TenantId, id: TaskId) -> Result<Invocation, Rejection> {
    let function =
        FunctionName::parse(HANDLE).map_err(|error| Rejection::field("path", error.to_string()))?;
    Ok(Invocation {
        tenant,
        target: Target::Existing { id, otherwise: None },
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
    })
}

/// The request as the handler sees it.
fn inward(request: Request, uri: Uri) -> HttpRequest {
    let (mut parts, body) = request.into_parts();
    parts.uri = uri;
    strip(&mut parts.headers);
    if !parts.headers.contains_key(HOST) {
        // HTTP/1.0 needs none; a handler does.
        parts.headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
    HttpRequest::from_parts(parts, bounded(body))
}

/// The body, up to its bound, from a sender that does not pause for too long.
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

/// The handler's response as it goes out.
fn outward(response: pilum_execution::HttpResponse) -> Response {
    let (mut parts, body) = response.into_parts();
    strip(&mut parts.headers);
    // The host's own word on which execution answered is nobody else's to say.
    parts.headers.remove(EXECUTION_ID);
    if parts.status.is_informational() {
        return error(
            StatusCode::BAD_GATEWAY,
            "GUEST_ERROR",
            "the function answered with a status of HTTP's own",
        );
    }
    Response::from_parts(parts, Body::new(body))
}

/// Takes out what holds for one connection only, what `Connection` names too.
fn strip(headers: &mut HeaderMap) {
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

/// The answer for an execution that ended without a response. Why is for the
/// task's owner to look up by the id; a visitor is told no more than what kind.
fn failed(execution: &Execution) -> Response {
    let code = execution.failure().map_or(FailureCode::HostError, |failure| failure.code);
    let (status, text) = match code {
        FailureCode::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "the function took too long"),
        FailureCode::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "the call was cancelled"),
        FailureCode::TrapUnreachable
        | FailureCode::TrapOutOfBounds
        | FailureCode::TrapStackOverflow
        | FailureCode::TrapIntegerDivideByZero
        | FailureCode::TrapOther
        | FailureCode::MemoryLimit
        | FailureCode::FuelExhausted
        | FailureCode::GuestExit
        | FailureCode::GuestError
        | FailureCode::ResultTooLarge
        | FailureCode::HostError
        | FailureCode::WorkerLost => (StatusCode::INTERNAL_SERVER_ERROR, "the function failed"),
    };
    let mut response = error(status, code.as_str(), text);
    if let Ok(id) = HeaderValue::from_str(execution.id.as_str()) {
        response.headers_mut().insert(EXECUTION_ID, id);
    }
    response
}

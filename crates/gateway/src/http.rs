//! The HTTP listener: tasks' http handlers, an execution's status as JSON, probes,
//! metrics.
//!
//! Served by hyper directly, because that is where the bounds of an HTTP/1
//! connection can be set: the size, the number and the time of headers, and the
//! age of a connection.

mod functions;
mod json;

use crate::connection::{Gate, HTTP1_OPENING_BYTES, Held, accept};
use crate::convert;
use crate::error::Rejection;
use crate::identity::tenant_of;
use crate::limits::{
    CLOSE_GRACE, GatewayLimits, HTTP_BODY_MAX_BYTES, HTTP_CONNECTION_AGE_MAX, HTTP_HEAD_MAX_BYTES,
    HTTP_HEAD_TIMEOUT, HTTP_HEADERS_MAX, HTTP_REQUEST_TIMEOUT, request_deadline,
};
use crate::metrics;
use crate::process::usage;
use crate::status::Verdict;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use futures::StreamExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use pilum_execution::{Execution, Executions, Runtime, Store};
use pilum_types::{ExecutionId, TenantId};
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What handlers share.
struct Door<R: Runtime, S> {
    executions: Arc<Executions<R, S>>,
    /// Cancelled when the host begins to shut down.
    draining: CancellationToken,
}

/// Serves HTTP until `stop`, then lets responses under way leave.
pub(crate) async fn serve<R: Runtime, S: Store>(
    executions: Arc<Executions<R, S>>,
    listener: TcpListener,
    limits: &GatewayLimits,
    draining: CancellationToken,
    stop: CancellationToken,
) {
    // As for gRPC: a connection that is too old takes no new request, and the one under
    // way may take as long as any.
    let grace = request_deadline(executions.settings());
    let router = router(executions, draining);
    // Holds every connection's task; closed here, once none is accepted any more.
    let tracker = TaskTracker::new();
    let mut connections = pin!(accept(listener, Gate::new(limits, HTTP1_OPENING_BYTES)));
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => break,
            next = connections.next() => next,
        };
        match next {
            Some(Ok(io)) => drop(tracker.spawn(connection(io, router.clone(), stop.clone(), grace))),
            Some(Err(error)) => tracing::warn!(%error, "a connection could not be accepted"),
            None => break,
        }
    }
    tracker.close();
    if tokio::time::timeout(CLOSE_GRACE, tracker.wait()).await.is_err() {
        tracing::debug!(open = tracker.len(), "HTTP connections were still open");
    }
}

/// One connection until it ends, is too old, or the host stops.
async fn connection(
    io: Held<TcpStream, OwnedSemaphorePermit>,
    router: Router,
    stop: CancellationToken,
    grace: Duration,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_HEAD_TIMEOUT)
        .max_headers(HTTP_HEADERS_MAX)
        .max_buf_size(HTTP_HEAD_MAX_BYTES);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(io), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = serving.as_mut() => Some(ended),
        () = stop.cancelled() => None,
        () = tokio::time::sleep(HTTP_CONNECTION_AGE_MAX) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            serving.as_mut().graceful_shutdown();
            let stopped = async {
                stop.cancelled().await;
                tokio::time::sleep(CLOSE_GRACE).await;
            };
            tokio::select! {
                ended = serving => ended,
                () = stopped => Ok(()),
                () = tokio::time::sleep(grace) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection ended badly");
    }
}

fn router<R: Runtime, S: Store>(executions: Arc<Executions<R, S>>, draining: CancellationToken) -> Router {
    Router::new()
        .route("/api/v1/execution/{id}/status", get(status::<R, S>))
        .route("/status/{id}", get(status::<R, S>))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready::<R, S>))
        .route("/metrics", get(scrape::<R, S>))
        .route("/fn/{task}", any(functions::serve::<R, S>))
        .route("/fn/{task}/", any(functions::serve::<R, S>))
        .route("/fn/{task}/{*path}", any(functions::serve::<R, S>))
        .fallback(async || error(StatusCode::NOT_FOUND, "NOT_FOUND", "no such path"))
        .layer(DefaultBodyLimit::max(HTTP_BODY_MAX_BYTES))
        .with_state(Arc::new(Door { executions, draining }))
}

/// The answer, if it comes within the bound.
async fn within(bound: Duration, answer: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(bound, answer).await {
        Ok(response) => response,
        Err(_elapsed) => {
            error(StatusCode::GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED", "the host took too long to answer")
        }
    }
}

async fn status<R: Runtime, S: Store>(
    State(door): State<Arc<Door<R, S>>>,
    Path(text): Path<String>,
    Query(asked): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let wait = match convert::wait(&asked) {
        Ok(wait) => wait,
        Err(rejection) => return rejected(&rejection),
    };
    within(wait + HTTP_REQUEST_TIMEOUT, find(&door, text, &tenant_of(&headers), wait)).await
}

/// An execution once it has ended, or as it stands after `wait`.
async fn find<R: Runtime, S: Store>(
    door: &Door<R, S>,
    text: String,
    tenant: &TenantId,
    wait: Duration,
) -> Response {
    let found = match ExecutionId::parse(&text) {
        Ok(id) if wait.is_zero() => door.executions.query().execution(tenant, &id).await,
        Ok(id) => tokio::select! {
            found = door.executions.query().wait(tenant, &id, wait) => found,
            // Nobody is kept waiting by a host that is about to go.
            () = door.draining.cancelled() => door.executions.query().execution(tenant, &id).await,
        },
        // A malformed id is nobody's: it is answered as any unknown one.
        Err(_nobodys) => Ok(None),
    };
    match found {
        Ok(Some(execution)) => Json(json::execution(&execution)).into_response(),
        Ok(None) => rejected(&Rejection::ExecutionNotFound { id: text }),
        Err(refusal) => rejected(&refusal.into()),
    }
}

async fn ready<R: Runtime, S: Store>(State(door): State<Arc<Door<R, S>>>) -> (StatusCode, &'static str) {
    if door.draining.is_cancelled() || door.executions.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}

async fn scrape<R: Runtime, S: Store>(State(door): State<Arc<Door<R, S>>>) -> Response {
    within(HTTP_REQUEST_TIMEOUT, figures(&door)).await
}

async fn figures<R: Runtime, S: Store>(door: &Door<R, S>) -> Response {
    let stats = match door.executions.query().stats().await {
        Ok(stats) => stats,
        Err(refusal) => return rejected(&refusal.into()),
    };
    match metrics::encode(stats, usage()) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error"),
    }
}

/// An execution as the status endpoint shows it; without what it returned where
/// that makes it longer than `max_bytes`.
pub fn status_json(execution: &Execution, max_bytes: usize) -> Vec<u8> {
    // Of strings, numbers and lists of them, so it cannot fail.
    let written = |view: &json::ExecutionView| serde_json::to_vec(view).unwrap_or_default();
    let view = json::execution(execution);
    let whole = written(&view);
    if whole.len() <= max_bytes { whole } else { written(&view.without_result()) }
}

fn rejected(rejection: &Rejection) -> Response {
    let verdict = Verdict::from(rejection);
    error(verdict.http, json::code_name(verdict.code), &verdict.message)
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json::error(code, message))).into_response()
}

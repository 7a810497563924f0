//! Calls an http handler with a request and delivers the response in the way that the
//! caller chose.

use crate::call::failure;
use crate::call::response_body::{AbortOnDrop, ResponseBody, SharedWithCall};
use crate::error::CallError;
use crate::guest::state::Guest;
use http_body_util::{BodyExt as _, LengthLimitError};
use pilum_call::{HttpBodyError, HttpRequest, OutputMode};
use pilum_types::{CallLimits, Failure, FailureCode, Output};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::{Func, Resource};
use wasmtime_wasi_http::Error as HttpError;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

/// How long an instance that is to serve another call waits until the body of its
/// response is gone. After that time the guest is assumed to leak its responses, and
/// the instance is not reused.
const BODY_GRACE: Duration = Duration::from_secs(1);
/// A response with this status or a higher one is a failure of the function.
const SERVER_ERROR_STATUS: u16 = 500;

/// What the handler gave to its response-outparam.
type HandlerResponse = Result<http::Response<HyperOutgoingBody>, ErrorCode>;

/// Calls the handler and delivers its response. `keep` says that the instance is to
/// serve other calls; the returned flag says whether it still may.
pub(crate) async fn call(
    store: &mut Store<Guest>,
    func: Func,
    request: HttpRequest,
    mode: &OutputMode,
    limits: &CallLimits,
    keep: bool,
) -> Result<(Output, bool), CallError> {
    let (respond, response) = oneshot::channel::<HandlerResponse>();
    let arguments = {
        let mut http = store.data_mut().http();
        let request = request.map(|body| body.map_err(incoming_error));
        (http.new_incoming_request(Scheme::Http, request)?, http.new_response_outparam(respond)?)
    };
    let func = func.typed::<(Resource<HostIncomingRequest>, Resource<HostResponseOutparam>), ()>(&*store)?;
    let abort = AbortOnDrop::default();
    let (shared, body_gone) = abort.share();
    let mut delivery = pin!(deliver(response, mode, limits, shared));
    let mut delivered = None;
    {
        let mut guest = pin!(func.call_async(&mut *store, arguments));
        // Both run at once, because the guest waits for its reader and the reader waits
        // for the guest.
        tokio::select! {
            biased;
            called = &mut guest => called?,
            ended = &mut delivery => {
                if let Err(CallError::Failed(failure)) = &ended
                    && failure.code == FailureCode::ResultTooLarge
                {
                    return ended.map(|output| (output, false));
                }
                delivered = Some(ended);
                guest.await?;
            }
        }
    }
    abort.disarm();
    if keep {
        let finish = async {
            if delivered.is_none() {
                delivered = Some(delivery.as_mut().await);
            }
            // The receiver always ends with an error, when the body's sender is dropped.
            let _ = body_gone.await;
        };
        let is_gone = tokio::time::timeout(BODY_GRACE, finish).await.is_ok();
        if let Some(delivered) = delivered.take_if(|_| is_gone) {
            return delivered.map(|output| (output, true));
        }
    }
    // The guest has returned. A handle that it still holds would only keep the reader of
    // its response waiting.
    store.data_mut().drop_handles();
    let output = match delivered {
        Some(delivered) => delivered?,
        None => delivery.await?,
    };
    Ok((output, false))
}

/// Delivers the handler's response.
async fn deliver(
    response: oneshot::Receiver<HandlerResponse>,
    mode: &OutputMode,
    limits: &CallLimits,
    shared: SharedWithCall,
) -> Result<Output, CallError> {
    let failed = |message: String| CallError::Failed(Failure::new(FailureCode::GuestError, message));
    let response = match response.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => return Err(failed(format!("the handler answered with an error: {code:?}"))),
        Err(_dropped) => return Err(failed("the handler ended without a response".to_owned())),
    };
    let status = response.status().as_u16();
    if let OutputMode::HttpResponse(sender) = mode {
        let sent = sender.try_send(response.map(|body| ResponseBody::new(body, shared).boxed_unsync()));
        // If the caller has gone, its call is dropped soon.
        debug_assert!(
            !matches!(sent, Err(TrySendError::Full(_))),
            "the channel has room for the one response"
        );
        return Ok(Output::Response { status, body: Vec::new() });
    }
    let mut kept = Vec::new();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(format!("the handler broke its body off: {error}")))?;
        let Ok(bytes) = frame.into_data() else { continue };
        match mode {
            // If the reader has gone, the rest of the body is not needed.
            OutputMode::Stream(sender) if status < SERVER_ERROR_STATUS => drop(sender.send(bytes).await),
            _ if (kept.len() + bytes.len()) as u64 > limits.result_max_bytes => {
                return Err(CallError::Failed(failure::result_too_large(limits)));
            }
            _ => kept.extend_from_slice(&bytes),
        }
    }
    if status >= SERVER_ERROR_STATUS {
        let text = String::from_utf8_lossy(&kept);
        return Err(failed(failure::cut(format!("the handler answered {status}: {text}"))));
    }
    Ok(Output::Response { status, body: kept })
}

/// The error that the guest gets when the body of its request ends early.
#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn incoming_error(error: HttpBodyError) -> HttpError {
    if error.is::<LengthLimitError>() {
        HttpError::HttpRequestBodySize(None)
    } else {
        HttpError::ConnectionTerminated
    }
}

//! Calls of http handlers: a request in, a response out, whichever way the
//! caller wants it.

use crate::call::{CallError, Ended};
use crate::failure;
use crate::guest::Guest;
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, LengthLimitError};
use pilum_call::{HttpBodyError, HttpRequest, OutputMode};
use pilum_types::{CallLimits, Failure, FailureCode, Output};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::{Func, Resource};
use wasmtime_wasi_http::Error as HttpError;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

/// How long an instance that is to serve another call waits for the body of this
/// one to leave, before it is taken for one that leaks its response.
const BODY_GRACE: Duration = Duration::from_secs(1);

/// What the handler gave to its response-outparam.
type Answer = Result<http::Response<HyperOutgoingBody>, ErrorCode>;

/// Calls the handler and delivers what it answers. `keep` says that the instance
/// is to serve other calls; the answer, whether it still may.
pub(crate) async fn call(
    store: &mut Store<Guest>,
    func: Func,
    request: HttpRequest,
    delivery: &OutputMode,
    limits: &CallLimits,
    keep: bool,
) -> Result<(Output, bool), CallError> {
    let (answered, answer) = oneshot::channel::<Answer>();
    let (request, response) = {
        let mut http = store.data_mut().http();
        let request = request.map(|body| body.map_err(incoming_error));
        (http.new_incoming_request(Scheme::Http, request)?, http.new_response_outparam(answered)?)
    };
    let func = func.typed::<(Resource<HostIncomingRequest>, Resource<HostResponseOutparam>), ()>(&*store)?;
    let breaking = Breaking::default();
    let (leaving, left) = oneshot::channel();
    let leaving = Leaving { broken: Arc::clone(&breaking.broken), _left: leaving };
    let mut delivered = pin!(deliver(answer, delivery, limits, leaving));
    let mut early = None;
    {
        let mut guest = pin!(func.call_async(&mut *store, (request, response)));
        // Both at once: the guest waits for its reader, the reader for the guest.
        tokio::select! {
            biased;
            called = &mut guest => called?,
            ended = &mut delivered => {
                if let Err(CallError::Failed(failure)) = &ended
                    && failure.code == FailureCode::ResultTooLarge
                {
                    return ended.map(|output| (output, false));
                }
                early = Some(ended);
                guest.await?;
            }
        }
    }
    breaking.disarm();
    let mut ended = early;
    if keep {
        let all = async {
            if ended.is_none() {
                ended = Some(delivered.as_mut().await);
            }
            // An error is how it is told that nobody holds the body any more.
            let _ = left.await;
        };
        // Held no longer than it takes to see that the guest leaks its response.
        let left = tokio::time::timeout(BODY_GRACE, all).await.is_ok();
        if let Some(ended) = ended.take_if(|_| left) {
            return ended.map(|output| (output, true));
        }
    }
    // It has returned, so what it still holds can only keep its reader waiting.
    store.data_mut().drop_handles();
    let output = match ended {
        Some(ended) => ended?,
        None => delivered.await?,
    };
    Ok((output, false))
}

/// Hands on what the handler answers.
async fn deliver(
    answer: oneshot::Receiver<Answer>,
    delivery: &OutputMode,
    limits: &CallLimits,
    leaving: Leaving,
) -> Ended {
    let failed = |message: String| CallError::Failed(Failure::new(FailureCode::GuestError, message));
    let response = match answer.await {
        Ok(Ok(response)) => response,
        Ok(Err(code)) => return Err(failed(format!("the handler answered with an error: {code:?}"))),
        Err(_dropped) => return Err(failed("the handler ended without a response".to_owned())),
    };
    let status = response.status().as_u16();
    if let OutputMode::HttpResponse(sender) = delivery {
        // It has room for one, and one is sent; a caller that is gone stops the call.
        let _ = sender.try_send(response.map(|body| Leave { body, leaving, over: false }.boxed_unsync()));
        return Ok(Output::Response { status, body: Vec::new() });
    }
    let mut kept = Vec::new();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(format!("the handler broke its body off: {error}")))?;
        let Ok(bytes) = frame.into_data() else { continue };
        match delivery {
            // A reader that is gone needs no more of it.
            OutputMode::Stream(sender) if status < 500 => drop(sender.send(bytes).await),
            _ if (kept.len() + bytes.len()) as u64 > limits.result_max_bytes => {
                return Err(CallError::Failed(failure::result_too_large(limits)));
            }
            _ => kept.extend_from_slice(&bytes),
        }
    }
    if status >= 500 {
        let text = String::from_utf8_lossy(&kept);
        return Err(failed(failure::cut(format!("the handler answered {status}: {text}"))));
    }
    Ok(Output::Response { status, body: kept })
}

/// Tells the body of a response that its guest came to a bad end, which by itself
/// would look to it like a good one. Does so when it is dropped, unless disarmed:
/// a call that runs out of time or is cancelled is dropped.
#[derive(Default)]
struct Breaking {
    broken: Arc<AtomicBool>,
    disarmed: AtomicBool,
}

impl Breaking {
    fn disarm(&self) {
        self.disarmed.store(true, Ordering::Relaxed);
    }
}

impl Drop for Breaking {
    fn drop(&mut self) {
        if !self.disarmed.load(Ordering::Relaxed) {
            self.broken.store(true, Ordering::Release);
        }
    }
}

/// What a body that leaves shares with the call it comes from.
struct Leaving {
    broken: Arc<AtomicBool>,
    /// Its end is told by being dropped.
    _left: oneshot::Sender<()>,
}

/// A response's body on its way out.
struct Leave {
    body: HyperOutgoingBody,
    leaving: Leaving,
    over: bool,
}

impl Body for Leave {
    type Data = Bytes;
    type Error = HttpBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpBodyError>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.over = !matches!(frame, Some(Ok(_)));
        Poll::Ready(match frame {
            Some(frame) => Some(frame.map_err(HttpBodyError::from)),
            None if self.leaving.broken.load(Ordering::Acquire) => Some(Err("the function failed".into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// What the guest is told when its request's body ends early.
#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn incoming_error(error: HttpBodyError) -> HttpError {
    if error.is::<LengthLimitError>() {
        HttpError::HttpRequestBodySize(None)
    } else {
        HttpError::ConnectionTerminated
    }
}

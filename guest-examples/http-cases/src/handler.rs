//! - `/hello`: a text with the path and query of the request;
//! - `/echo`: the request's body, sent back while it arrives;
//! - `/headers`: the names and values of the request's headers;
//! - `/count`: how many requests this instance has answered;
//! - `/environment`: its environment variables;
//! - `/status/N`: an answer with status N;
//! - `/late`: answers, and then writes a line to its log;
//! - `/silent`: ends without a response;
//! - `/headers-only`: a head; its body is neither written nor finished;
//! - `/leak`: a part of a body that is never finished; its handles are kept;
//! - `/trap`, `/trap-later`: traps before and in the middle of the body;
//! - `/endless`: a body without an end; `/hang`: no answer;
//! - `/fetch?URL`: the status and the body of the answer from that URL.

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingRequest, OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::streams::StreamError;

/// The most bytes that are read or written at a time.
const CHUNK_BYTES: u64 = 64 << 10;

static REQUESTS: AtomicU32 = AtomicU32::new(0);

struct Cases;

wasip2::http::proxy::export!(Cases);

impl Guest for Cases {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let requests = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/hello" => text(response, 200, &format!("hello from {target}\n")),
            "/echo" => echo(&request, response),
            "/headers" => text(response, 200, &headers(&request)),
            "/count" => text(response, 200, &requests.to_string()),
            "/environment" => {
                let variables: Vec<String> = std::env::vars().map(|(n, v)| format!("{n}={v}")).collect();
                text(response, 200, &variables.join("\n"));
            }
            "/late" => {
                text(response, 200, "soon");
                eprintln!("after the response");
            }
            "/silent" => drop(response),
            "/headers-only" => {
                let head = OutgoingResponse::new(Fields::new());
                let body = head.body();
                ResponseOutparam::set(response, Ok(head));
                drop(body);
            }
            "/leak" => {
                let head = OutgoingResponse::new(Fields::new());
                let body = head.body();
                ResponseOutparam::set(response, Ok(head));
                if let Ok(body) = body {
                    if let Ok(out) = body.write() {
                        let _ = out.blocking_write_and_flush(b"half");
                        std::mem::forget(out);
                    }
                    std::mem::forget(body);
                }
            }
            "/trap" => std::process::abort(),
            "/trap-later" => begin(response, 200, |out| {
                let _ = out.write_all(b"begun");
                let _ = out.flush();
                std::process::abort();
            }),
            "/endless" => begin(response, 200, |out| {
                let chunk = [b'.'; CHUNK_BYTES as usize];
                while out.write_all(&chunk).is_ok() {}
            }),
            "/hang" => loop {
                std::hint::spin_loop();
            },
            "/fetch" => {
                let (status, answer) = fetch(query).unwrap_or_else(|error| (502, error));
                text(response, status, &answer);
            }
            _ => {
                let status = path.strip_prefix("/status/").and_then(|status| status.parse().ok());
                text(response, status.unwrap_or(404), "as asked\n");
            }
        }
    }
}

fn text(response: ResponseOutparam, status: u16, text: &str) {
    begin(response, status, |out| {
        let _ = out.write_all(text.as_bytes());
    });
}

/// Sends the head and then the body that `write` writes.
fn begin(response: ResponseOutparam, status: u16, write: impl FnOnce(&mut wasip2::io::streams::OutputStream)) {
    let head = OutgoingResponse::new(Fields::new());
    let _ = head.set_status_code(status);
    let body = head.body();
    ResponseOutparam::set(response, Ok(head));
    let Ok(body) = body else { return };
    if let Ok(mut out) = body.write() {
        write(&mut out);
        let _ = out.flush();
    }
    let _ = OutgoingBody::finish(body, None);
}

fn echo(request: &IncomingRequest, response: ResponseOutparam) {
    let body = request.consume();
    let input = body.as_ref().ok().and_then(|body| body.stream().ok());
    begin(response, 200, |out| {
        let Some(input) = input else { return };
        loop {
            match out.blocking_splice(&input, CHUNK_BYTES) {
                Ok(_) => {}
                Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => return,
            }
        }
    });
}

fn headers(request: &IncomingRequest) -> String {
    let mut lines: Vec<String> = request
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(&value)))
        .collect();
    lines.sort();
    lines.join("\n")
}

fn fetch(url: &str) -> Result<(u16, String), String> {
    let (scheme, rest) = url.split_once("://").ok_or("a URL has a scheme")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let request = OutgoingRequest::new(Fields::new());
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let set = request.set_scheme(Some(&scheme)).is_ok()
        && request.set_authority(Some(authority)).is_ok()
        && request.set_path_with_query(Some(&format!("/{path}"))).is_ok();
    if !set {
        return Err("no such URL".into());
    }
    let answer = outgoing_handler::handle(request, None).map_err(|error| format!("{error:?}"))?;
    answer.subscribe().block();
    let answer = answer.get().ok_or("no answer")?.map_err(|()| "taken twice")?;
    let answer = answer.map_err(|error| format!("{error:?}"))?;
    let body = answer.consume().map_err(|()| "taken twice")?;
    let input = body.stream().map_err(|()| "taken twice")?;
    let mut bytes = Vec::new();
    while let Ok(chunk) = input.blocking_read(CHUNK_BYTES) {
        bytes.extend_from_slice(&chunk);
    }
    Ok((answer.status(), String::from_utf8_lossy(&bytes).into_owned()))
}

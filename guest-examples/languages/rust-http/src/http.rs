//! What the functions need of `wasi:http`: parameters and bodies in, responses out.

use std::io::{self, Read, Write};

use serde::Serialize;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{OutputStream, StreamError};

/// Larger bodies are refused: they would have to be held in memory as a whole.
const BODY_MAX_BYTES: u64 = 1024 * 1024;
/// How much is asked for at once of a body that passes through.
const CHUNK_MAX_BYTES: u64 = 64 * 1024;

/// A status, and why.
pub struct Refusal(pub u16, pub String);

/// One parameter of a query, decoded.
pub fn parameter(query: &str, name: &str) -> Result<String, Refusal> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let value = value.ok_or_else(|| Refusal(400, format!("the parameter {name} is missing")))?;
    decode(value).ok_or_else(|| Refusal(400, format!("the parameter {name} is not percent-encoded UTF-8")))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// The whole body of a request.
pub fn body(request: &IncomingRequest) -> Result<Vec<u8>, Refusal> {
    let body = request.consume().map_err(|()| Refusal(500, "the body was taken before".into()))?;
    let stream = body.stream().map_err(|()| Refusal(500, "the body was taken before".into()))?;
    let mut bytes = Vec::new();
    let read = stream.take(BODY_MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Refusal(400, format!("the body broke off: {error}")))?;
    if bytes.len() as u64 > BODY_MAX_BYTES {
        return Err(Refusal(413, format!("the body has more than {BODY_MAX_BYTES} bytes")));
    }
    Ok(bytes)
}

pub fn json(value: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(|error| Refusal(500, error.to_string()))
}

/// Answers with JSON, or with the text of a refusal.
pub fn send(response: ResponseOutparam, answer: Result<String, Refusal>) {
    let (status, content_type, text) = match answer {
        Ok(json) => (200, "application/json", json),
        Err(Refusal(status, text)) => (status, "text/plain; charset=utf-8", text),
    };
    respond(response, status, content_type, |out| {
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")
    });
}

/// Answers with the body of the request, which is never held as a whole.
pub fn echo(request: &IncomingRequest, response: ResponseOutparam) {
    let body: Option<IncomingBody> = request.consume().ok();
    let Some(input) = body.as_ref().and_then(|body| body.stream().ok()) else {
        return send(response, Err(Refusal(500, "the body was taken before".into())));
    };
    respond(response, 200, "application/octet-stream", |out| {
        loop {
            match out.blocking_splice(&input, CHUNK_MAX_BYTES) {
                Ok(_) => {}
                Err(StreamError::Closed) => return Ok(()),
                Err(StreamError::LastOperationFailed(error)) => return Err(io::Error::other(error)),
            }
        }
    });
}

/// Sends the head, then what `write` writes. A body that broke off is not
/// finished, which tells the client that something is missing.
fn respond(
    response: ResponseOutparam,
    status: u16,
    content_type: &str,
    write: impl FnOnce(&mut OutputStream) -> io::Result<()>,
) {
    let headers = Fields::new();
    headers.append("content-type", content_type.as_bytes()).expect("a valid header");
    let head = OutgoingResponse::new(headers);
    head.set_status_code(status).expect("a valid status");
    let body = head.body().expect("the first call of body");
    ResponseOutparam::set(response, Ok(head));

    let mut out = body.write().expect("the first call of write");
    let written = write(&mut out).and_then(|()| Write::flush(&mut out));
    // A body can be finished only once its stream is gone.
    drop(out);
    match written {
        Ok(()) => {
            if let Err(error) = OutgoingBody::finish(body, None) {
                eprintln!("the response was not finished: {error:?}");
            }
        }
        Err(error) => eprintln!("the response broke off: {error}"),
    }
}

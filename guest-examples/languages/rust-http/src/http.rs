//! The parts of `wasi:http` that the functions use: parameters, bodies and responses.

use std::io::{self, Read, Write};

use serde::Serialize;
use wasip2::http::types::{
    Fields, IncomingBody, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{OutputStream, StreamError};

/// The largest body that is read into memory as a whole; a larger one is refused.
const BODY_MAX_BYTES: u64 = 1024 * 1024;
/// The most bytes that are read at a time of a body that is passed on.
const CHUNK_MAX_BYTES: u64 = 64 * 1024;

/// A status, and its reason.
pub struct Refusal(pub u16, pub String);

/// The decoded value of one parameter of a query.
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

/// Answers with JSON, or with the text of an error.
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

/// Answers with the body of the request, without holding the whole body in memory.
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

/// Sends the head and then the body that `write` writes. If writing fails, the body is
/// not finished, so the client knows that a part is missing.
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
    // The stream must be dropped before the body can be finished.
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

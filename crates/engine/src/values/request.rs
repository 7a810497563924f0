//! A request to an http handler, from the parameters of a call by name.

use crate::bind::{matched, parameter_error};
use crate::json;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt as _, Full};
use pilum_call::BindError;
use pilum_call::HttpRequest;
use pilum_types::{FunctionSignature, Parameter, Value};

/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// What a handler sees as its host when the caller names none.
const DEFAULT_HOST: &str = "localhost";

/// The request that `method`, `path`, `headers` and `body` describe; all may be
/// left out, which asks for `GET /`.
///
/// Headers are an object of strings or a list of pairs. A body of text or bytes is
/// sent as it is, any other value as JSON.
pub(crate) fn of(
    signature: &FunctionSignature,
    parameters: Vec<Parameter>,
) -> Result<HttpRequest, BindError> {
    // Whatever a body is, it is a body: its type is looked at below.
    let untyped = |parameter| Parameter { type_name: String::new(), ..parameter };
    let values = matched(signature, parameters.into_iter().map(untyped).collect())?;
    let [method, path, headers, body] =
        <[Value; 4]>::try_from(values).map_err(|_| parameter_error("parameters", "do not fit".to_owned()))?;
    let method = match text("method", method)? {
        Some(name) => Method::from_bytes(name.as_bytes())
            .map_err(|_| parameter_error("method", format!("{name:?} is no method of HTTP")))?,
        None => Method::GET,
    };
    let path = text("path", path)?.unwrap_or_else(|| "/".to_owned());
    let uri = path.parse::<Uri>().ok().filter(|uri| path.starts_with('/') && uri.authority().is_none());
    let uri = uri.ok_or_else(|| {
        parameter_error("path", format!("{path:?} is no path: it begins with `/` and is percent-encoded"))
    })?;
    let mut headers = header_map(headers)?;
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_static(DEFAULT_HOST));
    }
    let body = match body {
        Value::Null => Bytes::new(),
        Value::String(text) => Bytes::from(text),
        Value::Bytes(bytes) => Bytes::from(bytes),
        structured => {
            let value = json::of(structured).map_err(|reason| parameter_error("body", reason))?;
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Bytes::from(value.to_string())
        }
    };
    if !body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    let mut request = HttpRequest::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

fn text(name: &str, value: Value) -> Result<Option<String>, BindError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Err(parameter_error(name, format!("expected string, got {}", other.kind()))),
    }
}

fn header_map(value: Value) -> Result<HeaderMap, BindError> {
    let pairs = match value {
        Value::Null => Vec::new(),
        Value::Object(fields) => fields,
        Value::List(items) => items
            .into_iter()
            .enumerate()
            .map(|(i, item)| match item {
                Value::List(pair) => match <[Value; 2]>::try_from(pair) {
                    Ok([Value::String(name), value]) => Ok((name, value)),
                    _ => Err(not_a_pair(i)),
                },
                _ => Err(not_a_pair(i)),
            })
            .collect::<Result<_, _>>()?,
        other => {
            return Err(parameter_error("headers", format!("expected object or list, got {}", other.kind())));
        }
    };
    if pairs.len() > HEADERS_MAX {
        let reason = format!("has {} entries, at most {HEADERS_MAX} are allowed", pairs.len());
        return Err(parameter_error("headers", reason));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let path = format!("headers.{name}");
        let Some(value) = text(&path, value)? else { continue };
        let invalid = |what: &str| parameter_error(&path, format!("is no {what} of HTTP"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("header name"))?;
        let value = HeaderValue::from_str(&value).map_err(|_| invalid("header value"))?;
        headers.try_append(name, value).map_err(|_| invalid("set of headers: there are too many"))?;
    }
    Ok(headers)
}

fn not_a_pair(index: usize) -> BindError {
    parameter_error(&format!("headers[{index}]"), "expected a pair of name and value".to_owned())
}

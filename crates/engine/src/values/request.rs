//! The request that the parameters of a call by name describe to an http handler.

use crate::values::input::Given;
use crate::values::json;
use crate::values::matching::{TypeNames, matched, parameter_error};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use http_body_util::{BodyExt as _, Full};
use pilum_call::{BindError, HttpRequest};
use pilum_types::{FunctionSignature, Parameter, Value};
use std::borrow::Borrow;

/// Headers that a request may have. Servers commonly accept as many.
const HEADERS_MAX: usize = 100;
/// The host that a handler sees if the caller names none.
const DEFAULT_HOST: &str = "localhost";

/// A request before its body is made.
struct Described<V> {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: V,
}

/// The request that `method`, `path`, `headers` and `body` describe. All may be left
/// out, which gives `GET /`.
///
/// Headers are an object of strings or a list of pairs. A body of text or bytes is
/// sent as it is, and any other value is sent as JSON.
pub(crate) fn of(
    signature: &FunctionSignature,
    parameters: Vec<Parameter>,
) -> Result<HttpRequest, BindError> {
    let Described { method, uri, mut headers, body } = described(signature, parameters)?;
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

/// Checks that [`of`] would succeed.
pub(crate) fn check(signature: &FunctionSignature, parameters: &[Parameter]) -> Result<(), BindError> {
    let described = described(signature, parameters.iter().collect())?;
    json::check(described.body).map_err(|reason| parameter_error("body", reason))
}

fn described<P: Given>(
    signature: &FunctionSignature,
    parameters: Vec<P>,
) -> Result<Described<P::Value>, BindError> {
    // A body may be of any type, so the types that the caller names are ignored and the
    // values are looked at here.
    let values = matched(signature, parameters, TypeNames::Ignored)?;
    let Ok([method, path, headers, body]) = <[P::Value; 4]>::try_from(values) else {
        unreachable!("a handler's signature has four parameters");
    };
    let method = match text("method", method.borrow())? {
        Some(name) => Method::from_bytes(name.as_bytes())
            .map_err(|_| parameter_error("method", format!("{name:?} is not a method of HTTP")))?,
        None => Method::GET,
    };
    let path = text("path", path.borrow())?.unwrap_or("/");
    let uri = path.parse::<Uri>().ok().filter(|uri| path.starts_with('/') && uri.authority().is_none());
    let uri = uri.ok_or_else(|| {
        let reason = format!("{path:?} is not a path: a path begins with `/` and is percent-encoded");
        parameter_error("path", reason)
    })?;
    let mut headers = header_map(headers.borrow())?;
    if !headers.contains_key(HOST) {
        headers.insert(HOST, HeaderValue::from_static(DEFAULT_HOST));
    }
    Ok(Described { method, uri, headers, body })
}

fn text<'a>(name: &str, value: &'a Value) -> Result<Option<&'a str>, BindError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => Err(parameter_error(name, format!("expected string, got {}", other.kind()))),
    }
}

fn header_map(value: &Value) -> Result<HeaderMap, BindError> {
    let pairs: Vec<(&str, &Value)> = match value {
        Value::Null => Vec::new(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        Value::List(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| match item {
                Value::List(pair) => match pair.as_slice() {
                    [Value::String(name), value] => Ok((name.as_str(), value)),
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
        let invalid = |reason: &str| parameter_error(&path, reason.to_owned());
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("is not a header name of HTTP"))?;
        let value = HeaderValue::from_str(value).map_err(|_| invalid("is not a header value of HTTP"))?;
        headers.try_append(name, value).map_err(|_| invalid("there are too many headers"))?;
    }
    Ok(headers)
}

fn not_a_pair(index: usize) -> BindError {
    parameter_error(&format!("headers[{index}]"), "expected a pair of name and value".to_owned())
}

#[cfg(test)]
mod tests;

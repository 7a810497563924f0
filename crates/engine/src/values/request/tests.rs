//! The check of a request's parameters agrees with the request itself.

use super::*;
use pilum_types::{Field, FunctionKind, ValueType};

fn signature() -> FunctionSignature {
    let optional =
        |name: &str| Field { name: name.to_owned(), ty: ValueType::Option(Box::new(ValueType::String)) };
    FunctionSignature {
        name: "handle".to_owned(),
        kind: FunctionKind::Handler,
        parameters: ["method", "path", "headers", "body"].map(optional).to_vec(),
        results: Vec::new(),
    }
}

/// `None` if the parameters make a request, and the error as `path: reason` otherwise.
fn error_of(parameters: &[(&str, Value)]) -> Option<String> {
    let parameter = |(name, value): &(&str, Value)| Parameter {
        name: (*name).to_owned(),
        type_name: "any".to_owned(),
        value: value.clone(),
    };
    let parameters: Vec<_> = parameters.iter().map(parameter).collect();
    let checked = check(&signature(), &parameters);
    let made = of(&signature(), parameters).map(drop);
    assert_eq!(checked, made);
    made.err().map(|error| error.to_string())
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn parameters_of_any_body_make_a_request() {
    let header = |name: &str, value: Value| (name.to_owned(), value);
    for parameters in [
        vec![],
        vec![("method", text("PUT")), ("path", text("/a?b=c"))],
        vec![("headers", Value::Object(vec![header("x-one", text("1")), header("x-two", Value::Null)]))],
        vec![("headers", Value::List(vec![Value::List(vec![text("x-one"), text("1")])]))],
        vec![("body", text("text"))],
        vec![("body", Value::Bytes(vec![0, 1]))],
        vec![("body", Value::Object(vec![header("a", Value::Number(0.5))]))],
    ] {
        assert_eq!(error_of(&parameters), None, "{parameters:?}");
    }
}

#[test]
fn an_error_names_the_parameter() {
    for (parameters, expected) in [
        (vec![("method", text("a b"))], "method: \"a b\" is not a method of HTTP"),
        (vec![("method", Value::Signed(1))], "method: expected string, got integer"),
        (
            vec![("path", text("a"))],
            "path: \"a\" is not a path: a path begins with `/` and is percent-encoded",
        ),
        (vec![("headers", text("x"))], "headers: expected object or list, got string"),
        (vec![("headers", Value::List(vec![Value::Null]))], "headers[0]: expected a pair of name and value"),
        (
            vec![("headers", Value::Object(vec![("a b".to_owned(), text("1"))]))],
            "headers.a b: is not a header name of HTTP",
        ),
        (
            vec![("body", Value::List(vec![Value::Number(f64::NAN)]))],
            "body: JSON has no number NaN; send a string",
        ),
        (vec![("more", Value::Null)], "more: is not a parameter of the function; "),
    ] {
        let error = error_of(&parameters).unwrap();
        assert!(error.starts_with(expected), "{error}");
    }
}

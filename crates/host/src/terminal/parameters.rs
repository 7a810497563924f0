//! Reads the parameters that a person types, and writes values as JSON.

use anyhow::{Context, Result, bail};
use pilum_types::{Parameter, Value};

/// Reads `name=value`, `name=@FILE`, or a value alone. A value that is valid JSON is read
/// as JSON, any other value is a string.
///
/// # Errors
/// When a file cannot be read, JSON nests too deep, or only some parameters have names.
pub(crate) fn read(arguments: &[String]) -> Result<Vec<Parameter>> {
    let parameters = arguments.iter().map(|argument| read_one(argument)).collect::<Result<Vec<_>>>()?;
    let named = parameters.iter().filter(|parameter| !parameter.name.is_empty()).count();
    if named != 0 && named != parameters.len() {
        bail!("give every parameter a name (name=value), or none");
    }
    Ok(parameters)
}

/// Reads `NAME=VALUE` pairs for the guest's environment.
///
/// # Errors
/// When there is no `=`.
pub(crate) fn read_environment(arguments: &[String]) -> Result<Vec<(String, String)>> {
    let pair = |argument: &String| {
        let (name, value) =
            argument.split_once('=').with_context(|| format!("{argument:?} is not NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    arguments.iter().map(pair).collect()
}

/// A value as JSON, for printing. JSON has no number for NaN and the infinities, so they
/// become strings.
pub(crate) fn to_json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Signed(n) => Json::from(*n),
        Value::Unsigned(n) => Json::from(*n),
        #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2^53, so exact")]
        Value::Number(n) if n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0 => Json::from(*n as i64),
        Value::Number(n) => {
            serde_json::Number::from_f64(*n).map_or_else(|| Json::from(n.to_string()), Json::Number)
        }
        Value::String(text) => Json::from(text.as_str()),
        Value::Bytes(bytes) => Json::from(String::from_utf8_lossy(bytes)),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Object(fields) => {
            Json::Object(fields.iter().map(|(name, field)| (name.clone(), to_json(field))).collect())
        }
    }
}

fn read_one(argument: &str) -> Result<Parameter> {
    let parameter = |name: &str, value| Parameter { name: name.to_owned(), type_name: String::new(), value };
    match argument.split_once('=').filter(|(name, _)| is_name(name)) {
        Some((name, text)) => match text.strip_prefix('@') {
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).with_context(|| format!("{name}: the file {path}"))?;
                Ok(parameter(name, Value::String(text)))
            }
            None => Ok(parameter(name, value_of(text).with_context(|| name.to_owned())?)),
        },
        None => Ok(parameter("", value_of(argument)?)),
    }
}

/// Whether the text before a `=` is the name of a parameter. Otherwise the `=` is part of
/// a value.
fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn value_of(text: &str) -> Result<Value> {
    match serde_json::from_str(text) {
        Ok(json) => Ok(from_json(json)),
        // The error has no kind for this case. The text is JSON, so nobody means it as a
        // string.
        Err(error) if error.to_string().starts_with("recursion limit exceeded") => {
            bail!("the value nests more lists and objects than can be read")
        }
        Err(_) => Ok(Value::String(text.to_owned())),
    }
}

fn from_json(json: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::Signed(integer),
            (None, Some(integer)) => Value::Unsigned(integer),
            (None, None) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text),
        Json::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        Json::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, field)| (name, from_json(field))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(argument: &str, name: &str, value: Value) {
        let read = read(&[argument.to_owned()]).unwrap();
        assert_eq!(read, [Parameter { name: name.to_owned(), type_name: String::new(), value }]);
    }

    #[test]
    fn json_is_json_and_the_rest_are_strings() {
        check("n=5", "n", Value::Signed(5));
        check("n=18446744073709551615", "n", Value::Unsigned(u64::MAX));
        check("x=0.5", "x", Value::Number(0.5));
        check("s=hello world", "s", Value::String("hello world".into()));
        check("s=\"5\"", "s", Value::String("5".into()));
        check("zip=01234", "zip", Value::String("01234".into()));
        check("s=", "s", Value::String(String::new()));
        check("q=a=b", "q", Value::String("a=b".into()));
        check("l=[1,null]", "l", Value::List(vec![Value::Signed(1), Value::Null]));
        check("-5", "", Value::Signed(-5));
        check("1+1=2", "", Value::String("1+1=2".into()));
    }

    #[test]
    fn files_are_read_and_missing_ones_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "text of a file").unwrap();
        check(&format!("t=@{}", file.path().display()), "t", Value::String("text of a file".into()));
        let error = read(&["t=@/no/such".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "t: the file /no/such");
    }

    #[test]
    fn json_that_nests_too_deep_is_no_string() {
        for (open, close) in [("[", "]"), ("{\"k\":", "}")] {
            let nested = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
            assert!(matches!(
                read(&[nested(100)]).unwrap().first().unwrap().value,
                Value::List(_) | Value::Object(_)
            ));
            let error = read(&[format!("deep={}", nested(10_000))]).unwrap_err();
            assert_eq!(format!("{error:#}"), "deep: the value nests more lists and objects than can be read");
        }
    }

    #[test]
    fn names_for_all_or_for_none() {
        let error = read(&["a=1".to_owned(), "2".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "give every parameter a name (name=value), or none");
    }
}

//! Calls of one task's functions, with parameters and results as JSON.

use crate::{Host, digest_of, guest, guest_path};
use anyhow::{Context, Result, bail};
use pilum_client::{Call, Client, ClientError, ErrorStatus, InvokeResult, NewTask, Target};
use pilum_types::{ArtifactSource, FunctionName, Output, Parameter, TaskName, Value};
use serde_json::{Number, Value as Json};

/// A JSON number is exact for every integer up to this one.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// The functions of one artifact. The first call registers its task on the host.
#[derive(Debug, Clone)]
pub struct Functions {
    client: Client,
    task: NewTask,
}

impl Functions {
    /// The functions of a built guest, as a task with the name of its file.
    ///
    /// # Errors
    /// If the guest is not built or the host cannot be reached.
    pub async fn of_guest(host: &Host, file: &str) -> Result<Self> {
        let location = format!("file://{}", guest_path(file)?.display());
        let name = file.strip_suffix(".wasm").context("guests are .wasm files")?;
        Self::at(host, name, location, &digest_of(&guest(file)?)).await
    }

    /// The functions of some bytes, which are written below one of the host's roots.
    ///
    /// # Errors
    /// If the bytes cannot be written or the host cannot be reached.
    pub async fn of_bytes(host: &Host, name: &str, bytes: &[u8]) -> Result<Self> {
        let (location, digest) = host.put(&format!("{name}.wasm"), bytes)?;
        Self::at(host, name, location, &digest).await
    }

    /// The functions of the artifact with this location and digest.
    ///
    /// # Errors
    /// If the name is malformed or the host cannot be reached.
    pub async fn at(host: &Host, name: &str, location: String, digest: &str) -> Result<Self> {
        let source = ArtifactSource { location, checksum: Some(digest.parse()?) };
        let task = NewTask::new(TaskName::parse(name)?, source);
        Ok(Self { client: host.client().await?, task })
    }

    /// The client that makes the calls.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A synchronous call, which the caller may change before it is made.
    ///
    /// # Errors
    /// If the name is malformed, or the parameters are not a list, an object or null.
    pub fn call(&self, function: &str, parameters: Json) -> Result<Call> {
        let call = Call::new(Target::New(self.task.clone()), FunctionName::parse(function)?);
        Ok(call.parameters(parameters_of(parameters)?))
    }

    /// Makes a call and waits for its end, which may be a failure.
    ///
    /// # Errors
    /// If the host refuses the call.
    pub async fn invoke(&self, function: &str, parameters: Json) -> Result<InvokeResult> {
        let call = self.call(function, parameters)?;
        self.client.invoke(call).await.with_context(|| format!("the call of {function}"))
    }

    /// Makes a call with values as positional parameters.
    ///
    /// # Errors
    /// If the host refuses the call.
    pub async fn invoke_with(&self, function: &str, values: Vec<Value>) -> Result<InvokeResult, ClientError> {
        let unnamed = |value| Parameter { name: String::new(), type_name: String::new(), value };
        let name = FunctionName::parse(function).map_err(|error| ClientError::Answer(error.to_string()))?;
        let call = Call::new(Target::New(self.task.clone()), name);
        self.client.invoke(call.parameters(values.into_iter().map(unnamed).collect())).await
    }

    /// Makes a call, which must complete; returns its result.
    ///
    /// # Errors
    /// If the call does not complete.
    pub async fn result(&self, function: &str, parameters: Json) -> Result<Json> {
        result_of(&self.invoke(function, parameters).await?)
    }

    /// Makes a call, which must fail; returns its error code and message.
    ///
    /// # Errors
    /// If the call completes or is refused.
    pub async fn failure(&self, function: &str, parameters: Json) -> Result<(String, String)> {
        let invoked = self.invoke(function, parameters).await?;
        match invoked.status.error_code {
            Some(code) if !invoked.success => Ok((code, invoked.status.error_message)),
            _ => bail!("{function} did not fail: {:?}", invoked.status),
        }
    }

    /// Makes a call, which the host must refuse; returns the refusal.
    ///
    /// # Errors
    /// If the call becomes an execution.
    pub async fn refused(&self, function: &str, parameters: Json) -> Result<ErrorStatus> {
        match self.client.invoke(self.call(function, parameters)?).await {
            Err(ClientError::Status(refused)) => Ok(*refused),
            Err(error) => Err(error.into()),
            Ok(invoked) => bail!("{function} was not refused: {:?}", invoked.status),
        }
    }
}

/// The result of a call that must have completed. Bytes are read as JSON or as text.
///
/// # Errors
/// If the call failed, with its code and message.
pub fn result_of(invoked: &InvokeResult) -> Result<Json> {
    match (&invoked.status.output, invoked.success) {
        (Some(Output::Typed(value)), true) => Ok(json_of(value)),
        (Some(Output::Raw(bytes)), true) => {
            Ok(serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into()))
        }
        _ => bail!("{:?}: {}", invoked.status.error_code, invoked.status.error_message),
    }
}

/// Parameters from JSON: by name from an object, by position from a list, none from null.
///
/// # Errors
/// If the JSON is none of these.
pub fn parameters_of(json: Json) -> Result<Vec<Parameter>> {
    let parameter = |name, json| Parameter { name, type_name: String::new(), value: value_of(json) };
    match json {
        Json::Null => Ok(Vec::new()),
        Json::Array(items) => Ok(items.into_iter().map(|item| parameter(String::new(), item)).collect()),
        Json::Object(fields) => Ok(fields.into_iter().map(|(name, field)| parameter(name, field)).collect()),
        other => bail!("{other} is not a list, an object or null"),
    }
}

/// JSON as the value that a caller would send.
pub fn value_of(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Value::Signed(integer),
            (None, Some(integer)) => Value::Unsigned(integer),
            (None, None) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(text),
        Json::Array(items) => Value::List(items.into_iter().map(value_of).collect()),
        Json::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, field)| (name, value_of(field))).collect())
        }
    }
}

/// A result as JSON, with whole numbers as integers.
pub fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::Signed(n) => Json::from(*n),
        Value::Unsigned(n) => Json::from(*n),
        #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2^53, so exact")]
        Value::Number(n) if n.fract() == 0.0 && n.abs() <= EXACT_INTEGER_MAX => Json::from(*n as i64),
        Value::Number(n) => Number::from_f64(*n).map_or_else(|| Json::from(n.to_string()), Json::Number),
        Value::String(text) => Json::from(text.as_str()),
        Value::Bytes(bytes) => Json::from(bytes.as_slice()),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), json_of(field))).collect(),
    }
}

//! The requests that clients send, and the checks of the answers.

use crate::guests;
use anyhow::{Context, Result, ensure};
use pilum_proto::spearlet::function_service_client::FunctionServiceClient;
use pilum_proto::spearlet::{
    ArtifactSpec, CancelExecutionRequest, ExecutionContext, ExecutionMode, ExecutionStatus,
    FunctionParameter, GetExecutionStatusRequest, GetExecutionStatusResponse, InvocationType,
    InvokeFunctionRequest, InvokeFunctionResponse,
};
use pilum_types::ArtifactSource;
use prost::Message as _;
use std::time::{Duration, SystemTime};
use tonic::transport::Channel;

pub(crate) type Client = FunctionServiceClient<Channel>;

/// The pause between two reads of an execution's status.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The longest that an execution may take to reach a state.
const LOOK_MAX: Duration = Duration::from_secs(120);

/// Opens a new connection.
pub(crate) async fn connect(address: &str) -> Result<Client> {
    let channel = Channel::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await;
    Ok(FunctionServiceClient::new(channel.with_context(|| format!("no server at {address}"))?))
}

/// A function of an artifact, and its parameters.
pub(crate) struct Function {
    source: ArtifactSource,
    name: &'static str,
    parameters: Vec<FunctionParameter>,
}

impl Function {
    pub(crate) fn new(source: ArtifactSource, name: &'static str, numbers: &[(&str, i64)]) -> Self {
        let parameters = numbers.iter().map(|(name, n)| {
            parameter(name, "type.googleapis.com/google.protobuf.Int64Value", n.encode_to_vec())
        });
        Self { source, name, parameters: parameters.collect() }
    }

    /// `add` of the core module.
    pub(crate) fn add() -> Result<Self> {
        Ok(Self::new(guests::source(guests::CORE)?, "add", &[("a", 2), ("b", 40)]))
    }

    /// `calculate-fibonacci(10)` of a component.
    pub(crate) fn fibonacci(source: ArtifactSource) -> Self {
        Self::new(source, "calculate-fibonacci", &[("n", 10)])
    }

    /// A command that takes no parameters.
    pub(crate) fn command(guest: &str) -> Result<Self> {
        Ok(Self::new(guests::source(guest)?, "run", &[]))
    }

    /// The command of [`guests::LARGE_COMPONENT`].
    pub(crate) fn keywords(source: ArtifactSource) -> Self {
        let text = "wasm wasm host".to_owned().encode_to_vec();
        let text = parameter("text", "type.googleapis.com/google.protobuf.StringValue", text);
        Self { source, name: "run", parameters: vec![text] }
    }

    /// A call that registers the task if no task has its name.
    pub(crate) fn new_task(&self, task_name: &str, mode: ExecutionMode) -> InvokeFunctionRequest {
        InvokeFunctionRequest {
            invocation_type: InvocationType::NewTask.into(),
            task_name: task_name.to_owned(),
            artifact_spec: Some(ArtifactSpec {
                location: self.source.location.clone(),
                checksum: self.source.checksum.map(|digest| digest.to_string()).unwrap_or_default(),
                ..ArtifactSpec::default()
            }),
            function_name: self.name.to_owned(),
            parameters: self.parameters.clone(),
            execution_mode: mode.into(),
            ..InvokeFunctionRequest::default()
        }
    }

    /// A synchronous call of a registered task.
    pub(crate) fn existing_task(&self, task_id: String) -> InvokeFunctionRequest {
        InvokeFunctionRequest {
            invocation_type: InvocationType::ExistingTask.into(),
            task_id,
            task_name: String::new(),
            artifact_spec: None,
            ..self.new_task("", ExecutionMode::Sync)
        }
    }

    /// Registers the task with a first call; returns the request for all later calls.
    pub(crate) async fn registered(
        &self,
        client: &mut Client,
        task_name: &str,
    ) -> Result<InvokeFunctionRequest> {
        let first = invoke(client, &self.new_task(task_name, ExecutionMode::Sync)).await?;
        Ok(self.existing_task(first.task_id))
    }
}

fn parameter(name: &str, type_url: &str, value: Vec<u8>) -> FunctionParameter {
    FunctionParameter {
        name: name.to_owned(),
        value: Some(prost_types::Any { type_url: type_url.to_owned(), value }),
        ..FunctionParameter::default()
    }
}

/// Makes a call, which must succeed.
pub(crate) async fn invoke(
    client: &mut Client,
    request: &InvokeFunctionRequest,
) -> Result<InvokeFunctionResponse> {
    let answer = client.invoke_function(request.clone()).await?.into_inner();
    ensure!(answer.success, "{answer:?}");
    Ok(answer)
}

/// The status of an execution, with its result.
pub(crate) async fn status(client: &mut Client, execution_id: &str) -> Result<GetExecutionStatusResponse> {
    let execution_id = execution_id.to_owned();
    let request = GetExecutionStatusRequest { execution_id, include_result: true, include_logs: false };
    Ok(client.get_execution_status(request).await?.into_inner())
}

/// The same call, to be run in a day at the earliest.
pub(crate) fn later(request: &InvokeFunctionRequest) -> InvokeFunctionRequest {
    let not_before = SystemTime::now() + Duration::from_secs(86_400);
    let context = ExecutionContext { not_before: Some(not_before.into()), ..ExecutionContext::default() };
    InvokeFunctionRequest { context: Some(context), ..request.clone() }
}

/// Waits until an execution is in the `wanted` state.
pub(crate) async fn wait_for(client: &mut Client, execution_id: &str, wanted: ExecutionStatus) -> Result<()> {
    let looked = tokio::time::timeout(LOOK_MAX, async {
        loop {
            let now = status(client, execution_id).await?.result.map(|result| result.status());
            if now == Some(wanted) {
                return Ok(());
            }
            let waits = [ExecutionStatus::Pending, ExecutionStatus::Running];
            ensure!(now.is_some_and(|now| waits.contains(&now)), "{execution_id} is {now:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    looked.await.with_context(|| format!("{execution_id} is not {wanted:?} after {LOOK_MAX:?}"))?
}

/// Starts an execution that does not end by itself; returns its id when it runs.
pub(crate) async fn started(client: &mut Client, function: &Function, task_name: &str) -> Result<String> {
    let id = invoke(client, &function.new_task(task_name, ExecutionMode::Async)).await?.execution_id;
    wait_for(client, &id, ExecutionStatus::Running).await?;
    Ok(id)
}

/// Cancels a running execution, which is CANCELLED when this returns.
pub(crate) async fn cancel(client: &mut Client, execution_id: String) -> Result<()> {
    let request = CancelExecutionRequest { execution_id, reason: String::new(), force: true };
    let answer = client.cancel_execution(request).await?.into_inner();
    ensure!(answer.success && answer.final_status() == ExecutionStatus::Cancelled, "{answer:?}");
    Ok(())
}

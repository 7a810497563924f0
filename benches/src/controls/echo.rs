//! A bare tonic server that answers InvokeFunction and GetExecutionStatus with fixed
//! responses of the same size and shape as the host's. It does nothing else. With
//! [`Inside::Core`] or [`Inside::Component`] it makes the same call as the host, on
//! bare wasmtime, before it answers; no host can be faster than that.

use super::checked;
use super::wasmtime::{ComponentFibonacci, CoreAdd};
use crate::guests::{COMPONENT, CORE, bytes};
use anyhow::Result;
use clap::ValueEnum;
use pilum_proto::spearlet::function_service_server::{FunctionService, FunctionServiceServer};
use pilum_proto::spearlet::{self as wire, InvokeFunctionRequest, InvokeFunctionResponse};
use std::io::Write;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The bytes of a whole stream, and of each of its messages.
pub(crate) const STREAM_BYTES: usize = 1 << 30;
const CHUNK_BYTES: usize = 64 << 10;

/// The call that the control makes before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Inside {
    /// No call.
    Nothing,
    /// `add` of the core module.
    Core,
    /// `calculate-fibonacci` of the component.
    Component,
}

/// The same, ready to be called.
enum Runs {
    Nothing,
    Core(CoreAdd),
    Component(ComponentFibonacci),
}

/// Serves on a free port until it is killed.
pub(crate) fn serve(inside: Inside) -> Result<()> {
    let runs = match inside {
        Inside::Nothing => Runs::Nothing,
        Inside::Core => Runs::Core(checked(CoreAdd::new(&bytes(CORE)?))?),
        Inside::Component => Runs::Component(checked(ComponentFibonacci::new(&bytes(COMPONENT)?))?),
    };
    let echo = Echo { answer: answer(), status: status(), runs };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut stdout = std::io::stdout();
        writeln!(stdout, "control ready grpc={}", listener.local_addr()?)?;
        stdout.flush()?;
        // Without this the control would wait for delayed acknowledgements.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        tonic::transport::Server::builder()
            .add_service(FunctionServiceServer::new(echo))
            .serve_with_incoming(incoming)
            .await?;
        Ok(())
    })
}

struct Echo {
    answer: InvokeFunctionResponse,
    status: wire::GetExecutionStatusResponse,
    runs: Runs,
}

impl Runs {
    async fn run(&self) -> wasmtime::Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Core(add) => add.call().await.map(drop),
            Self::Component(fibonacci) => fibonacci.call().await.map(drop),
        }
    }
}

/// The host's answer to a call of `add`, field by field.
fn answer() -> InvokeFunctionResponse {
    InvokeFunctionResponse {
        success: true,
        message: "completed".to_owned(),
        execution_id: "exec-01k9zzzzzzzzzzzzzzzzzzzzzz".to_owned(),
        task_id: "task-01k9zzzzzzzzzzzzzzzzzzzzzz".to_owned(),
        instance_id: "inst-01k9zzzzzzzzzzzzzzzzzzzzzz".to_owned(),
        result: Some(result()),
        ..InvokeFunctionResponse::default()
    }
}

/// The host's stream of a command that writes [`STREAM_BYTES`].
fn chunks() -> impl Iterator<Item = Result<wire::StreamExecutionResult, Status>> {
    let message = wire::StreamExecutionResult {
        execution_id: "exec-01k9zzzzzzzzzzzzzzzzzzzzzz".to_owned(),
        status: wire::ExecutionStatus::Running.into(),
        ..wire::StreamExecutionResult::default()
    };
    let last = wire::StreamExecutionResult { is_final: true, ..message.clone() };
    let chunk = vec![0; CHUNK_BYTES];
    (0..STREAM_BYTES / CHUNK_BYTES)
        .map(move |_| wire::StreamExecutionResult {
            chunk_data: Some(pilum_proto::value::raw_to_any(&chunk)),
            ..message.clone()
        })
        .chain([last])
        .map(Ok)
}

/// The host's answer about a finished execution of `add`.
fn status() -> wire::GetExecutionStatusResponse {
    wire::GetExecutionStatusResponse {
        found: true,
        message: "completed".to_owned(),
        result: Some(result()),
        ..wire::GetExecutionStatusResponse::default()
    }
}

fn result() -> wire::ExecutionResult {
    let value = prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(42.0)) };
    let value = prost::Message::encode_to_vec(&value);
    let any = prost_types::Any { type_url: "type.googleapis.com/google.protobuf.Value".to_owned(), value };
    let usage = ["queue_wait_us", "acquire_us", "guest_us", "peak_memory_bytes", "attempt", "instance_calls"];
    wire::ExecutionResult {
        status: wire::ExecutionStatus::Completed.into(),
        result: Some(any),
        metrics: usage.iter().map(|key| ((*key).to_owned(), "12".to_owned())).collect(),
        started_at: Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 123_456_789 }),
        completed_at: Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 123_556_789 }),
        ..wire::ExecutionResult::default()
    }
}

macro_rules! unimplemented_rpcs {
    ($($rpc:ident: $request:ident -> $response:ident,)*) => {
        #[tonic::async_trait]
        impl FunctionService for Echo {
            async fn invoke_function(
                &self,
                request: Request<InvokeFunctionRequest>,
            ) -> Result<Response<InvokeFunctionResponse>, Status> {
                // The request is decoded at this point; it must have its parameters.
                if request.get_ref().parameters.is_empty() {
                    return Err(Status::invalid_argument("parameters"));
                }
                self.runs.run().await.map_err(|error| Status::internal(format!("{error:#}")))?;
                Ok(Response::new(self.answer.clone()))
            }

            async fn get_execution_status(
                &self,
                request: Request<wire::GetExecutionStatusRequest>,
            ) -> Result<Response<wire::GetExecutionStatusResponse>, Status> {
                if request.get_ref().execution_id.is_empty() {
                    return Err(Status::invalid_argument("execution_id"));
                }
                Ok(Response::new(self.status.clone()))
            }

            type StreamFunctionStream =
                futures::stream::BoxStream<'static, Result<wire::StreamExecutionResult, Status>>;

            async fn stream_function(
                &self,
                _: Request<InvokeFunctionRequest>,
            ) -> Result<Response<Self::StreamFunctionStream>, Status> {
                Ok(Response::new(Box::pin(futures::stream::iter(chunks()))))
            }

            $(async fn $rpc(
                &self,
                _: Request<wire::$request>,
            ) -> Result<Response<wire::$response>, Status> {
                Err(Status::unimplemented("the control does not implement this method"))
            })*
        }
    };
}

unimplemented_rpcs! {
    cancel_execution: CancelExecutionRequest -> CancelExecutionResponse,
    list_tasks: ListTasksRequest -> ListTasksResponse,
    get_task: GetTaskRequest -> GetTaskResponse,
    delete_task: DeleteTaskRequest -> DeleteTaskResponse,
    list_executions: ListExecutionsRequest -> ListExecutionsResponse,
    get_health: GetHealthRequest -> GetHealthResponse,
    get_stats: GetStatsRequest -> GetStatsResponse,
}

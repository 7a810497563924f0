//! Both listeners over a fake runtime: every RPC and every route works, and the shutdown
//! has its order. Tests of guests are elsewhere.

use super::*;
use pilum_execution::{AsyncSettings, BindError, CallContext, PrepareError, Settings, SyncSettings};
use pilum_proto::spearlet::function_service_client::FunctionServiceClient;
use pilum_proto::spearlet::{
    ArtifactSpec, CancelExecutionRequest, DeleteTaskRequest, GetExecutionStatusRequest, GetHealthRequest,
    GetStatsRequest, GetTaskRequest, InvokeFunctionRequest, ListExecutionsRequest, ListTasksRequest,
};
use pilum_store::MemoryStore;
use pilum_types::{
    ArtifactSource, CallLimits, Digest, FunctionName, Grants, LogLine, LogStream, Outcome, Output, Parameter,
    Usage,
};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// `echo` returns its environment's `A` as raw bytes, `hang` never ends.
#[derive(Debug)]
struct FakeRuntime;

impl Runtime for FakeRuntime {
    type Prepared = ();
    type Call = FunctionName;

    async fn prepare(&self, _: &ArtifactSource, _: &Grants) -> Result<Arc<()>, PrepareError> {
        Ok(Arc::new(()))
    }

    fn digest(&self, _: &()) -> Digest {
        Digest::from_bytes([1; 32])
    }

    fn bind(
        &self,
        _: &Arc<()>,
        function: &FunctionName,
        _: Vec<Parameter>,
    ) -> Result<FunctionName, BindError> {
        Ok(function.clone())
    }

    async fn run(&self, function: FunctionName, context: CallContext) -> Outcome {
        if function.as_str() == "hang" {
            std::future::pending::<()>().await;
        }
        let text = context.environment.first().map(|(_, value)| value.clone()).unwrap_or_default();
        let line = LogLine { stream: LogStream::Stderr, text: "ran".into() };
        let usage = Usage { attempt: 1, ..Usage::default() };
        Outcome { result: Ok(Output::Raw(text.into_bytes())), usage, log: vec![line], instance: None }
    }
}

type FakeExecutions = Arc<Executions<FakeRuntime, MemoryStore>>;

fn executions() -> FakeExecutions {
    let second = Duration::from_secs(1);
    let settings = Settings {
        sync: SyncSettings {
            default_timeout: 30 * second,
            max_timeout: 60 * second,
            max_concurrent_requests: 4,
            slot_wait: second,
            enable_retries: false,
        },
        asynchronous: AsyncSettings {
            default_timeout: 30 * second,
            max_timeout: 60 * second,
            max_queue_size: 10,
            max_concurrent_executions: 2,
            status_retention: 3600 * second,
            dead_letter_retention: 3600 * second,
            enable_retries: false,
            max_retries: 3,
        },
        limits: CallLimits {
            timeout: 30 * second,
            memory_max_bytes: 1 << 20,
            table_max_elements: 100,
            result_max_bytes: 1 << 20,
            log_max_bytes: 1 << 10,
            fuel: None,
        },
        check_callback: |_| Ok(()),
        max_tasks: 10,
    };
    Executions::start(FakeRuntime, MemoryStore::default(), settings)
        .expect("a memory store is always readable")
}

struct Server {
    grpc: SocketAddr,
    http: SocketAddr,
    shutdown: CancellationToken,
    ended: tokio::task::JoinHandle<Result<(), GatewayError>>,
}

async fn start(limits: GatewayLimits) -> Server {
    let bind = async || TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (grpc, http) = (bind().await, bind().await);
    let addresses = (grpc.local_addr().expect("bound"), http.local_addr().expect("bound"));
    let shutdown = CancellationToken::new();
    let serving = serve(executions(), grpc, http, limits, shutdown.clone());
    let ended = tokio_util::task::TaskTracker::new().spawn(serving);
    Server { grpc: addresses.0, http: addresses.1, shutdown, ended }
}

async fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).expect("a URI").connect().await.expect("a host")
}

fn call(function: &str, mode: i32, text: &str) -> InvokeFunctionRequest {
    InvokeFunctionRequest {
        invocation_type: 1,
        task_name: "t".into(),
        artifact_spec: Some(ArtifactSpec { location: "file:t".into(), ..Default::default() }),
        function_name: function.into(),
        execution_mode: mode,
        context: Some(pilum_proto::spearlet::ExecutionContext {
            environment: [("A".to_owned(), text.to_owned())].into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The response of a `GET`, head and body.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut io = tokio::net::TcpStream::connect(address).await.expect("connected");
    let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    io.write_all(request.as_bytes()).await.expect("sent");
    let mut response = String::new();
    io.read_to_string(&mut response).await.expect("answered");
    response
}

#[tokio::test]
async fn every_rpc_over_one_stream() {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let executions = executions();
    let serving = serve_stream(executions, far, GatewayLimits::default(), CancellationToken::new());
    let serving = tokio_util::task::TaskTracker::new().spawn(serving);
    let near = std::sync::Mutex::new(Some(near));
    let connector = tower::service_fn(move |_| {
        let io = near.lock().expect("one thread").take().map(hyper_util::rt::TokioIo::new);
        std::future::ready(io.ok_or(io::Error::from(io::ErrorKind::NotConnected)))
    });
    let endpoint = Endpoint::from_static("http://in-process");
    let channel = endpoint.connect_with_connector(connector).await.expect("connected");
    let mut client = FunctionServiceClient::new(channel);

    let sync = client.invoke_function(call("echo", 1, "hi")).await.expect("ran").into_inner();
    assert!(sync.success, "{sync:?}");
    let any = sync.result.and_then(|result| result.result).expect("a result");
    assert_eq!(pilum_proto::value::output_from_any(&any), Ok(Output::Raw(b"hi".to_vec())));

    let accepted = client.invoke_function(call("hang", 2, "")).await.expect("accepted").into_inner();
    assert!(accepted.success && accepted.estimated_completion_ms >= 1, "{accepted:?}");
    let execution_id = accepted.execution_id;

    let mut stream = client.stream_function(call("echo", 3, "piece")).await.expect("ran").into_inner();
    let chunk = stream.message().await.expect("a chunk").expect("a chunk");
    assert!(!chunk.is_final && chunk.chunk_data.is_some());
    assert!(stream.message().await.expect("the end").expect("the end").is_final);
    assert!(stream.message().await.expect("nothing").is_none());

    let request = GetExecutionStatusRequest {
        execution_id: sync.execution_id,
        include_result: false,
        include_logs: true,
    };
    let status = client.get_execution_status(request).await.expect("found").into_inner();
    assert_eq!((status.found, status.logs), (true, vec!["stderr: ran".to_owned()]));
    assert!(status.result.expect("how it stands").result.is_none(), "not asked for");
    let unknown = GetExecutionStatusRequest { execution_id: "a b".into(), ..Default::default() };
    assert!(!client.get_execution_status(unknown).await.expect("answered").into_inner().found);

    let tasks = client.list_tasks(ListTasksRequest::default()).await.expect("listed").into_inner();
    assert_eq!((tasks.tasks.len(), tasks.has_more), (1, false));
    let task_id = tasks.tasks[0].task_id.clone();
    let request = GetTaskRequest { task_id: task_id.clone(), include_executions: true, ..Default::default() };
    let task = client.get_task(request).await.expect("found").into_inner();
    assert_eq!((task.found, task.executions.len()), (true, 3));

    let one = ListExecutionsRequest { limit: 1, ..Default::default() };
    let page = client.list_executions(one).await.expect("listed").into_inner();
    assert_eq!((page.executions.len(), page.has_more), (1, true));
    assert_eq!(page.next_start_after, page.executions[0].execution_id);

    let delete = |force| DeleteTaskRequest { task_id: task_id.clone(), force, cleanup_executions: true };
    let busy = client.delete_task(delete(false)).await.expect("answered").into_inner();
    assert!(!busy.success && !busy.deleted, "{busy:?}");
    let request = CancelExecutionRequest { execution_id, force: true, ..Default::default() };
    let cancelled = client.cancel_execution(request.clone()).await.expect("answered").into_inner();
    assert_eq!((cancelled.success, cancelled.final_status), (true, 5), "{}", cancelled.message);
    let again = client.cancel_execution(request).await.expect("answered").into_inner();
    assert_eq!((again.success, again.final_status), (false, 5));
    let gone = client.delete_task(delete(false)).await.expect("answered").into_inner();
    assert!(gone.success && gone.deleted, "{gone:?}");
    let unknown = client.delete_task(delete(false)).await.expect_err("gone");
    assert_eq!(unknown.code(), Code::NotFound);

    let health = client.get_health(GetHealthRequest { include_details: true }).await;
    let health = health.expect("answered").into_inner();
    assert_eq!(health.status, "healthy", "{}", health.message);
    let request =
        GetStatsRequest { include_task_stats: true, include_execution_stats: true, time_range_hours: 0 };
    let stats = client.get_stats(request).await.expect("answered").into_inner();
    assert_eq!(stats.execution_stats.expect("asked for").completed_executions, 2);

    // The server ends when its only connection ends.
    drop((client, stream));
    serving.await.expect("no panic").expect("ended well");
}

#[tokio::test]
async fn every_route() {
    let server = start(GatewayLimits::default()).await;
    let mut client = FunctionServiceClient::new(channel(server.grpc).await);
    let done = client.invoke_function(call("echo", 1, "hi")).await.expect("ran").into_inner();
    for path in
        [format!("/api/v1/execution/{}/status", done.execution_id), format!("/status/{}", done.execution_id)]
    {
        let response = get(server.http, &path).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert!(
            response.contains(r#""status":"COMPLETED","result":"hi","result_encoding":"text""#),
            "{response}"
        );
    }
    for (path, begins, contains) in [
        ("/status/unknown", "HTTP/1.1 404", r#"{"error":{"code":"NOT_FOUND","message":"no execution"#),
        ("/status/a%20b", "HTTP/1.1 404", r#""code":"NOT_FOUND""#),
        ("/elsewhere", "HTTP/1.1 404", "no such path"),
        ("/healthz", "HTTP/1.1 200", "ok\n"),
        ("/readyz", "HTTP/1.1 200", "ready\n"),
        ("/metrics", "HTTP/1.1 200", "pilum_executions_total{state=\"completed\"} 1\n"),
    ] {
        let response = get(server.http, path).await;
        assert!(response.starts_with(begins) && response.contains(contains), "{path}: {response}");
    }
    let long = get(server.http, &format!("/{}", "x".repeat(100_000))).await;
    assert!(long.starts_with("HTTP/1.1 431") || long.starts_with("HTTP/1.1 414"), "{long}");

    server.shutdown.cancel();
    server.ended.await.expect("no panic").expect("ended well");
}

#[tokio::test]
async fn shutdown_drains_before_it_closes() {
    let limits = GatewayLimits { drain_max: Duration::from_millis(500), ..GatewayLimits::default() };
    let server = start(limits).await;
    let shared = channel(server.grpc).await;
    let mut health = HealthClient::new(shared.clone());
    let check = |service: &str| Request::new(HealthCheckRequest { service: service.into() });
    for service in SERVING {
        assert_eq!(health.check(check(service)).await.expect("known").into_inner().status, 1);
    }
    let mut watch = health.watch(check("")).await.expect("known").into_inner();
    assert_eq!(watch.message().await.expect("told").expect("told").status, 1);

    // A call that does not end makes the host drain until its bound.
    let mut busy = FunctionServiceClient::new(shared.clone());
    let hanging = tokio_util::task::TaskTracker::new()
        .spawn(async move { busy.invoke_function(call("hang", 1, "")).await });
    let mut client = FunctionServiceClient::new(shared);
    let running = ListExecutionsRequest { status_filter: 2, ..Default::default() };
    while client.list_executions(running.clone()).await.expect("listed").into_inner().executions.is_empty() {
        tokio::task::yield_now().await;
    }
    server.shutdown.cancel();
    assert_eq!(watch.message().await.expect("told").expect("told").status, 2, "NOT_SERVING");
    let error = client.invoke_function(call("echo", 1, "")).await.expect_err("draining");
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    assert!(get(server.http, "/readyz").await.starts_with("HTTP/1.1 503"));
    let health = client.get_health(GetHealthRequest::default()).await.expect("answered").into_inner();
    assert_eq!(health.status, "degraded");

    let stopped = hanging.await.expect("no panic").expect("an answer").into_inner();
    assert_eq!(stopped.result.expect("how it ended").error_code, "CANCELLED");
    server.ended.await.expect("no panic").expect("ended well");
    assert!(tokio::net::TcpStream::connect(server.http).await.is_err(), "closed");
}

const SERVING: [&str; 2] = ["", "spearlet.FunctionService"];

#[tokio::test]
async fn an_oversize_request_is_a_typed_error() {
    let limits = GatewayLimits { request_max_bytes: 10_000, ..GatewayLimits::default() };
    let server = start(limits).await;
    let mut client = FunctionServiceClient::new(channel(server.grpc).await);
    let request = InvokeFunctionRequest { task_description: "x".repeat(20_000), ..call("echo", 1, "") };
    let error = client.invoke_function(request).await.expect_err("too long");
    assert_eq!(error.code(), Code::OutOfRange, "{error}");
    client.invoke_function(call("echo", 1, "")).await.expect("the connection lives on");
}

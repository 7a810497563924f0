//! grpc_sync: synchronous calls over gRPC, a fresh instance each, against a
//! bare tonic server that answers the same message.

use crate::host::{Server, source};
use crate::load::{Loop, Measured};
use crate::measure::{Figure, Plan, Target};
use anyhow::{Result, ensure};
use pilum_proto::spearlet::{
    ArtifactSpec, ExecutionMode, FunctionParameter, InvocationType, InvokeFunctionRequest,
};
use prost::Message as _;
use std::time::Duration;

/// Calls in flight of the loaded half.
const LOADED: usize = 32;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let host = Server::host()?;
        let control = Server::control_echo()?;
        let mut figures = Vec::new();
        for (kind, file, function, parameters) in [
            ("core", "calculate-fibonacci.core.wasm", "add", &[("a", 2), ("b", 40)][..]),
            ("component", "calculate-fibonacci.wasm", "calculate-fibonacci", &[("n", 10)][..]),
        ] {
            let request = registered(&host, kind, file, function, parameters).await?;
            for in_flight in [1, LOADED] {
                let ours = Loop::connect(&host.grpc, in_flight).await?;
                let bare = Loop::connect(&control.grpc, in_flight).await?;
                let rounds = measure(plan, &request, &ours, &bare).await?;
                figures.extend(figures_of(kind, in_flight, &rounds));
            }
        }
        Ok(figures)
    })
}

/// Registers the task with a first call; returns the request of all later ones.
async fn registered(
    host: &Server,
    kind: &str,
    file: &str,
    function: &str,
    parameters: &[(&str, i64)],
) -> Result<InvokeFunctionRequest> {
    let mut client = pilum_proto::spearlet::function_service_client::FunctionServiceClient::connect(format!(
        "http://{}",
        host.grpc
    ))
    .await?;
    let source = source(file)?;
    let spec = ArtifactSpec {
        location: source.location,
        checksum: source.checksum.map(|digest| digest.to_string()).unwrap_or_default(),
        ..ArtifactSpec::default()
    };
    let parameters = parameters.iter().map(|(name, n)| FunctionParameter {
        name: (*name).to_owned(),
        value: Some(prost_types::Any {
            type_url: "type.googleapis.com/google.protobuf.Int64Value".to_owned(),
            value: n.encode_to_vec(),
        }),
        ..FunctionParameter::default()
    });
    let mut request = InvokeFunctionRequest {
        invocation_type: InvocationType::NewTask.into(),
        task_name: kind.to_owned(),
        artifact_spec: Some(spec),
        function_name: function.to_owned(),
        parameters: parameters.collect(),
        execution_mode: ExecutionMode::Sync.into(),
        ..InvokeFunctionRequest::default()
    };
    let first = client.invoke_function(request.clone()).await?.into_inner();
    ensure!(first.success, "{first:?}");
    request.invocation_type = InvocationType::ExistingTask.into();
    request.task_id = first.task_id;
    request.task_name.clear();
    request.artifact_spec = None;
    Ok(request)
}

async fn measure(
    plan: Plan,
    request: &InvokeFunctionRequest,
    ours: &Loop,
    bare: &Loop,
) -> Result<Vec<(Measured, Measured)>> {
    let warm_up = Duration::from_millis(300);
    ours.run(request, warm_up).await?;
    bare.run(request, warm_up).await?;
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let duration = Duration::from_secs_f64(plan.seconds);
        let ours = ours.run(request, duration).await?;
        rounds.push((ours, bare.run(request, duration).await?));
    }
    Ok(rounds)
}

fn figures_of(kind: &str, in_flight: usize, rounds: &[(Measured, Measured)]) -> Vec<Figure> {
    let pairs =
        |pick: fn(&Measured) -> f64| rounds.iter().map(|(a, b)| (pick(a), pick(b))).collect::<Vec<_>>();
    let name = |what: &str| format!("grpc_sync {kind}, {in_flight} in flight, {what}");
    let (p50, p99) = (pairs(|m| m.p50_us), pairs(|m| m.p99_us));
    if in_flight == 1 {
        return vec![Figure::new(name("p50"), "µs", Target::AtMost(1.25), &p50)];
    }
    vec![
        Figure::new(name("throughput"), "calls/s", Target::AtLeast(0.85), &pairs(|m| m.calls_per_s)),
        Figure::new(name("p99"), "µs", Target::AtMost(1.5), &p99),
    ]
}

//! Deploying tasks: revisions, rollbacks, policies, and the description of a task.

use crate::http::deployed;
use futures::StreamExt as _;
use pilum_client::{Call, Client, ClientError, Code, DeployResult, Deployment, Target};
use pilum_proto::pilum::v1::host_service_client::HostServiceClient;
use pilum_proto::pilum::v1::{DeployTaskRequest, DescribeTaskRequest, UploadArtifactRequest};
use pilum_tests::{Functions, Host, parameters_of, result_of};
use pilum_types::{ArtifactSource, FunctionName, InstancePolicy, Policy, PolicyLimits, TaskName};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// A module whose `answer` is a number.
fn answering(number: i32) -> Vec<u8> {
    let wat = format!(
        r#"(module
             (global $calls (mut i32) (i32.const 0))
             (func (export "answer") (result i32) (i32.const {number}))
             (func (export "calls") (result i32)
               (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
               (global.get $calls))
             (func (export "spin") (result i32) (loop (br 0)) (unreachable)))"#
    );
    wat::parse_str(wat).unwrap()
}

async fn deploy(
    client: &Client,
    name: &str,
    bytes: Vec<u8>,
    policy: Policy,
) -> Result<DeployResult, ClientError> {
    let source = client.upload(bytes.into(), |_| {}).await?;
    client
        .deploy(Deployment {
            name: TaskName::parse(name).unwrap(),
            description: "a test".to_owned(),
            source,
            version: "v1".to_owned(),
            policy,
        })
        .await
}

async fn result(client: &Client, deployed: &DeployResult, function: &str) -> Json {
    let call = Call::new(Target::Existing(deployed.task_id.clone()), FunctionName::parse(function).unwrap());
    result_of(&client.invoke(call).await.unwrap()).unwrap()
}

#[tokio::test]
async fn other_code_is_a_new_revision_and_a_rollback_returns_to_the_old_one() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::builder().data_dir(data.path()).start().await.unwrap();
    let client = host.client().await.unwrap();
    let first = deploy(&client, "answer", answering(1), Policy::default()).await.unwrap();
    assert_eq!((first.revision.number, first.changed), (1, true));
    let again = deploy(&client, "answer", answering(1), Policy::default()).await.unwrap();
    assert_eq!((again.revision.number, again.changed), (1, false));
    let second = deploy(&client, "answer", answering(2), Policy::default()).await.unwrap();
    assert_eq!((second.revision.number, &second.task_id), (2, &first.task_id));
    assert_eq!(result(&client, &first, "answer").await, json!(2));
    let back = client.rollback("answer", None).await.unwrap();
    assert_eq!((back.revision.number, back.changed), (1, true));
    assert_eq!(result(&client, &first, "answer").await, json!(1));
    // After a crash both revisions and their code are there.
    host.kill().await.unwrap();
    let host = Host::builder().data_dir(data.path()).start().await.unwrap();
    let client = host.client().await.unwrap();
    assert_eq!(result(&client, &first, "answer").await, json!(1));
    client.rollback(first.task_id.as_str(), Some(2)).await.unwrap();
    assert_eq!(result(&client, &first, "answer").await, json!(2));
    let numbers: Vec<_> =
        client.describe("answer").await.unwrap().revisions.iter().map(|r| (r.number, r.is_current)).collect();
    assert_eq!(numbers, [(1, false), (2, true)]);
    let Err(ClientError::Status(refused)) = client.rollback("answer", Some(9)).await else { panic!() };
    assert_eq!(refused.code, Code::NotFound);
    let Err(ClientError::Status(refused)) = client.rollback("nobody", None).await else { panic!() };
    assert_eq!(refused.code, Code::NotFound);
}

#[tokio::test]
async fn a_call_under_way_finishes_on_the_revision_it_began_with() {
    let host = Host::start().await.unwrap();
    let client = host.client().await.unwrap();
    let (_, id) = deployed(&host, "lines", "stream-cases.wasm", Policy::default()).await;
    let call = Call::new(Target::Existing(id.clone()), FunctionName::parse("lines").unwrap())
        .parameters(parameters_of(json!({"count": 4, "pause_ms": 300})).unwrap());
    let mut chunks = client.stream(call).await.unwrap();
    chunks.next().await.unwrap().unwrap();
    deploy(&client, "lines", answering(7), Policy::default()).await.unwrap();
    let mut pieces = 0;
    while let Some(piece) = chunks.next().await.unwrap() {
        if let pilum_client::Chunk::End { state, .. } = &piece {
            assert_eq!(*state, pilum_types::State::Completed);
        }
        pieces += 1;
    }
    assert!(pieces >= 3, "{pieces}");
    let call = Call::new(Target::Existing(id), FunctionName::parse("answer").unwrap());
    assert_eq!(result_of(&client.invoke(call).await.unwrap()).unwrap(), json!(7));
}

#[tokio::test]
async fn a_policy_is_enforced() {
    let host = Host::start().await.unwrap();
    let client = host.client().await.unwrap();
    let limits = PolicyLimits { timeout: Some(Duration::from_millis(200)), ..PolicyLimits::default() };
    let spin = deploy(&client, "spin", answering(1), Policy { limits, ..Policy::default() }).await.unwrap();
    let call = Call::new(Target::Existing(spin.task_id.clone()), FunctionName::parse("spin").unwrap());
    let ended = client.invoke(call).await.unwrap();
    assert_eq!(ended.status.error_code.as_deref(), Some("DEADLINE_EXCEEDED"));
    assert!(ended.status.duration < Duration::from_secs(2), "{ended:?}");
    let limits = PolicyLimits { memory_max_bytes: Some(1 << 40), ..PolicyLimits::default() };
    let Err(ClientError::Status(refused)) =
        deploy(&client, "large", answering(1), Policy { limits, ..Policy::default() }).await
    else {
        panic!("the deployment was not refused");
    };
    assert_eq!(refused.code, Code::InvalidArgument);
    assert!(refused.message.contains("policy.limits.memory_max_bytes"), "{}", refused.message);
}

#[tokio::test]
async fn instances_of_the_warm_pool_are_used_once() {
    let host = Host::start().await.unwrap();
    let client = host.client().await.unwrap();
    let instances = InstancePolicy { idle_min: 2, ..InstancePolicy::default() };
    let task =
        deploy(&client, "ready", answering(1), Policy { instances, ..Policy::default() }).await.unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let call = Call::new(Target::Existing(task.task_id.clone()), FunctionName::parse("calls").unwrap());
        let invoked = client.invoke(call).await.unwrap();
        assert_eq!(result_of(&invoked).unwrap(), json!(1), "no call sees the state of another call");
        assert_eq!(invoked.status.metrics.get("instance_calls").map(String::as_str), Some("1"));
        ids.insert(invoked.instance_id.unwrap().to_string());
    }
    assert_eq!(ids.len(), 20, "each instance has its own id");
}

#[tokio::test]
async fn reuse_is_bounded_and_can_be_declined() {
    let host = Host::start().await.unwrap();
    let client = host.client().await.unwrap();
    let reuse = pilum_types::Reuse { calls_max: 3, ..pilum_types::Reuse::default() };
    let instances = InstancePolicy { reuse: Some(reuse), ..InstancePolicy::default() };
    let task =
        deploy(&client, "reused", answering(1), Policy { instances, ..Policy::default() }).await.unwrap();
    let call = |fresh: bool| {
        let call = Call::new(Target::Existing(task.task_id.clone()), FunctionName::parse("calls").unwrap());
        if fresh { call.force_new_instance() } else { call }
    };
    for (fresh, expected) in [(false, 1), (false, 2), (true, 1), (false, 3), (false, 1), (false, 2)] {
        let invoked = client.invoke(call(fresh)).await.unwrap();
        assert_eq!(result_of(&invoked).unwrap(), json!(expected));
        assert_eq!(invoked.status.metrics.get("instance_calls"), Some(&expected.to_string()));
    }
}

#[tokio::test]
async fn a_task_describes_itself() {
    let host = Host::start().await.unwrap();
    let (client, id) = deployed(&host, "echo", "values-echo.wasm", Policy::default()).await;
    let described = client.describe("echo").await.unwrap();
    assert_eq!((&described.id, described.kind.as_str()), (&id, "component"));
    let function = described.functions.iter().find(|f| f.name.ends_with("echo-s64")).unwrap();
    assert!(function.signature.ends_with("func(value: s64) -> s64"), "{}", function.signature);
    let schema: Json = serde_json::from_str(&function.json_schema).unwrap();
    assert_eq!(schema["parameters"]["required"], json!(["value"]));
    assert!(described.imports.iter().all(|import| import.granted), "{:?}", described.imports);
    let (_, handler) = deployed(&host, "cases", "http-cases.wasm", Policy::default()).await;
    let described = client.describe(handler.as_str()).await.unwrap();
    assert_eq!(described.kind, "http handler");
    assert!(described.imports.iter().any(|i| i.name.starts_with("wasi:http/outgoing-handler")));
}

#[tokio::test]
async fn uploads_are_bounded_and_complete() {
    let host = Host::builder().config("[artifacts]\nmax_bytes = 100000").start().await.unwrap();
    let client = host.client().await.unwrap();
    let Err(ClientError::Status(refused)) = client.upload(vec![0; 100_001].into(), |_| {}).await else {
        panic!("the upload was not refused");
    };
    assert_eq!(refused.code, Code::FailedPrecondition);
    assert!(refused.message.contains("100000"), "{}", refused.message);
    // No bytes are no artifact; deploying them is refused.
    let nothing = client.upload(Vec::new().into(), |_| {}).await.unwrap();
    let deployment = |source| Deployment {
        name: TaskName::parse("nothing").unwrap(),
        description: String::new(),
        source,
        version: String::new(),
        policy: Policy::default(),
    };
    let Err(ClientError::Status(refused)) = client.deploy(deployment(nothing)).await else { panic!() };
    assert_eq!(refused.code, Code::FailedPrecondition);
    // An artifact that was never uploaded is unavailable.
    let checksum = Some(pilum_types::Digest::from_bytes([7; 32]));
    let never = ArtifactSource { location: "uploaded:".to_owned(), checksum };
    let Err(ClientError::Status(refused)) = client.deploy(deployment(never)).await else { panic!() };
    assert_eq!(refused.code, Code::Unavailable);
    assert!(refused.message.contains("upload them again"), "{}", refused.message);
    // An upload that breaks off creates nothing.
    let mut raw = HostServiceClient::connect(format!("http://{}", host.grpc)).await.unwrap();
    let half = futures::stream::iter([UploadArtifactRequest { chunk: vec![0; 10] }])
        .chain(futures::stream::pending());
    let broken = tokio::time::timeout(Duration::from_millis(300), raw.upload_artifact(half)).await;
    assert!(broken.is_err());
    assert!(client.list_tasks("").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_deployment_is_refused_with_its_field() {
    let host = Host::start().await.unwrap();
    let mut raw = HostServiceClient::connect(format!("http://{}", host.grpc)).await.unwrap();
    let source = host.client().await.unwrap().upload(answering(1).into(), |_| {}).await.unwrap();
    let artifact = pilum_proto::spearlet::ArtifactSpec {
        location: source.location,
        checksum: source.checksum.unwrap().to_string(),
        ..Default::default()
    };
    let request = || DeployTaskRequest {
        task_name: "a".into(),
        artifact_spec: Some(artifact.clone()),
        ..DeployTaskRequest::default()
    };
    type Change = fn(&mut DeployTaskRequest);
    let changes: [(Change, &str); 9] = [
        (|r| r.task_name.clear(), "task_name"),
        (|r| r.task_name = "a b".into(), "task_name"),
        (|r| r.artifact_spec = None, "artifact_spec"),
        (
            |r| r.policy.get_or_insert_default().limits.get_or_insert_default().timeout_ms = -1,
            "policy.limits.timeout_ms",
        ),
        (
            |r| r.policy.get_or_insert_default().instances.get_or_insert_default().idle_min = 1_000,
            "policy.instances.idle_min",
        ),
        (
            |r| r.policy.get_or_insert_default().instances.get_or_insert_default().reuse_calls_max = 5,
            "policy.instances.reuse",
        ),
        (
            |r| {
                let grants = r.policy.get_or_insert_default().grants.get_or_insert_default();
                grants.http.push("http://a/".into());
            },
            "policy.grants.http[0]",
        ),
        (
            |r| {
                let grants = r.policy.get_or_insert_default().grants.get_or_insert_default();
                grants.config_values.insert("a".into(), "b".into());
            },
            "policy.grants.config",
        ),
        (
            |r| {
                r.policy.get_or_insert_default().environment.insert("A B".into(), String::new());
            },
            "policy.environment",
        ),
    ];
    for (change, field) in changes {
        let mut wrong = request();
        change(&mut wrong);
        let status = raw.deploy_task(wrong).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{field}");
        assert!(status.message().starts_with(field), "{field}: {}", status.message());
    }
    raw.deploy_task(request()).await.unwrap();
    for task in ["", "nobody", "a/b"] {
        let status = raw.describe_task(DescribeTaskRequest { task: task.into() }).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::NotFound, "{task:?}");
    }
}

#[tokio::test]
async fn deployments_at_once_get_consecutive_numbers() {
    let host = Host::start().await.unwrap();
    let client = host.client().await.unwrap();
    let racers = (0..12).map(|i| {
        let client = client.clone();
        async move { deploy(&client, "race", answering(i), Policy::default()).await.unwrap() }
    });
    let all = futures::future::join_all(racers).await;
    let mut numbers: Vec<u32> = all.iter().map(|deployed| deployed.revision.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    let described = client.describe("race").await.unwrap();
    assert_eq!(described.revisions.len(), 11, "ten revisions are kept beside the active one");
    let functions = Functions::of_bytes(&host, "other", &answering(5)).await.unwrap();
    assert_eq!(functions.result("answer", json!({})).await.unwrap(), json!(5));
}

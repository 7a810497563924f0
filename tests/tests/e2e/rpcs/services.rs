//! The standard services: health and reflection.

use futures::StreamExt as _;
use pilum_tests::Host;
use prost::Message as _;
use prost_types::FileDescriptorProto;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

const SERVICE: &str = "spearlet.FunctionService";

async fn channel(host: &Host) -> Channel {
    Channel::from_shared(format!("http://{}", host.grpc)).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn the_health_service_reports_serving_until_shutdown() {
    let host = Host::start().await.unwrap();
    let mut client = HealthClient::new(channel(&host).await);
    for service in ["", SERVICE] {
        let answer = client.check(HealthCheckRequest { service: service.into() }).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    let unknown = client.check(HealthCheckRequest { service: "acme.Service".into() }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let mut watched =
        client.watch(HealthCheckRequest { service: SERVICE.into() }).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    // A watcher is told that the host ends, and does not delay the end.
    let ended = host.terminate(std::time::Duration::from_secs(30));
    let (ended, told) = tokio::join!(ended, watched.message());
    assert!(ended.unwrap());
    assert_eq!(told.unwrap().unwrap().status(), ServingStatus::NotServing);
}

async fn reflect(host: &Host, question: MessageRequest) -> MessageResponse {
    let mut client = ServerReflectionClient::new(channel(host).await);
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let requests = futures::stream::iter([request]).chain(futures::stream::pending());
    let mut answers = client.server_reflection_info(Request::new(requests)).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap().message_response.unwrap()
}

#[tokio::test]
async fn reflection_lists_services_and_methods() {
    let host = Host::start().await.unwrap();
    let MessageResponse::ListServicesResponse(listed) =
        reflect(&host, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list of services")
    };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    for name in [SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let MessageResponse::FileDescriptorResponse(files) =
        reflect(&host, MessageRequest::FileContainingSymbol(SERVICE.into())).await
    else {
        panic!("no descriptor")
    };
    let file = FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap();
    let mut methods: Vec<_> = file.service[0].method.iter().map(|method| method.name()).collect();
    methods.sort_unstable();
    let expected = [
        "CancelExecution",
        "DeleteTask",
        "GetExecutionStatus",
        "GetHealth",
        "GetStats",
        "GetTask",
        "InvokeFunction",
        "ListExecutions",
        "ListTasks",
        "StreamFunction",
    ];
    assert_eq!(methods, expected);
}

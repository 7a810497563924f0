//! Malformed names and ids: empty, too long, or with spaces, slashes or control
//! characters.

use super::check;
use pilum_proto::spearlet::{ArtifactSpec, ExecutionContext, InvokeFunctionRequest};
use pilum_tests::Host;
use pilum_tests::wire::{guest_artifact, named, new_task, number, numbers};
use tonic::Code;

/// Texts that are no name and no id, each with a part of its error message.
fn malformed() -> [(String, &'static str); 7] {
    [
        ("a b".into(), "' '"),
        ("a\tb".into(), "'\\t'"),
        ("a\nb: forged".into(), "'\\n'"),
        ("a\r\nb".into(), "'\\r'"),
        ("a\0b".into(), "'\\0'"),
        ("a\u{1b}[31mb".into(), "'\\u{1b}'"),
        ("n".repeat(10_000), "10000 bytes"),
    ]
}

fn adder(task: &str, function: &str) -> InvokeFunctionRequest {
    let artifact = guest_artifact("calculate-fibonacci.wasm").unwrap();
    new_task(task, &artifact, function, numbers(&[2.0, 40.0]))
}

#[tokio::test]
async fn a_malformed_task_name_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let more = [("a/b".to_owned(), "'/'"), ("../b".to_owned(), "'/'"), ("ä".to_owned(), "'ä'")];
    for (name, says) in malformed().into_iter().chain(more) {
        check(&client, adder(&name, "add"), Code::InvalidArgument, "task_name", &[says]).await;
    }
    let longest = client.clone().invoke_function(adder(&"n".repeat(128), "add")).await.unwrap();
    assert!(longest.into_inner().success);
}

#[tokio::test]
async fn a_malformed_function_name_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (name, says) in malformed() {
        check(&client, adder("t", &name), Code::InvalidArgument, "function_name", &[says]).await;
    }
    // Full names contain a slash, so this name is well-formed and only not exported.
    check(&client, adder("t", "a/b"), Code::NotFound, "", &["no function a/b is exported"]).await;
}

#[tokio::test]
async fn an_unknown_parameter_name_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let with = |name: &str| InvokeFunctionRequest {
        parameters: vec![named("a", number(2.0)), named(name, number(40.0))],
        ..adder("t", "add")
    };
    let long = "n".repeat(10_000);
    check(&client, with(&long), Code::InvalidArgument, "parameters[1].name", &["10000 bytes"]).await;
    // Other names of parameters are well-formed, but the function has none of these.
    for name in ["c", "a b", "a/b", "a\nb", "a\0b"] {
        let with_all = InvokeFunctionRequest {
            parameters: [with(name).parameters, vec![named("b", number(40.0))]].concat(),
            ..with(name)
        };
        let field = format!("parameters.{name}");
        let says = &["is not a parameter of the function"];
        check(&client, with_all, Code::InvalidArgument, &field, says).await;
    }
}

#[tokio::test]
async fn a_malformed_execution_id_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let says = &["an id has 1 to 128 characters, each a letter, a digit or one of . _ : -"];
    for (id, _) in malformed().into_iter().chain([("a/b".to_owned(), ""), ("ä".to_owned(), "")]) {
        let own = InvokeFunctionRequest { execution_id: Some(id.clone()), ..adder("t", "add") };
        check(&client, own, Code::InvalidArgument, "execution_id", says).await;
        let context = ExecutionContext { execution_id: id, ..ExecutionContext::default() };
        let in_context = InvokeFunctionRequest { context: Some(context), ..adder("t", "add") };
        check(&client, in_context, Code::InvalidArgument, "context.execution_id", says).await;
    }
    let context = ExecutionContext { execution_id: "one".into(), ..ExecutionContext::default() };
    let two = InvokeFunctionRequest {
        execution_id: Some("another".into()),
        context: Some(context),
        ..adder("t", "add")
    };
    let says = &["differs from context.execution_id"];
    check(&client, two, Code::InvalidArgument, "execution_id", says).await;
}

#[tokio::test]
async fn a_malformed_environment_variable_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for (name, value, says) in [
        ("", "x", "is no name"),
        ("A B", "x", "is no name"),
        ("A=B", "x", "is no name"),
        ("1A", "x", "is no name"),
        ("A\n", "x", "is no name"),
        ("A", "x\0y", "holds a NUL"),
        ("A", &"x".repeat(33 << 10), "bytes in all"),
    ] {
        let environment = [(name.to_owned(), value.to_owned())].into();
        let context = ExecutionContext { environment, ..ExecutionContext::default() };
        let request = InvokeFunctionRequest { context: Some(context), ..adder("t", "add") };
        check(&client, request, Code::InvalidArgument, "context.environment", &[says]).await;
    }
}

#[tokio::test]
async fn a_malformed_artifact_is_refused() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let good = guest_artifact("calculate-fibonacci.wasm").unwrap();
    let refused = async |set: fn(&mut ArtifactSpec), field: &str, says: &str| {
        let mut artifact = good.clone();
        set(&mut artifact);
        check(&client, new_task("t", &artifact, "add", vec![]), Code::InvalidArgument, field, &[says]).await;
    };
    const LOCATION: &str = "artifact_spec.location";
    const CHECKSUM: &str = "artifact_spec.checksum";
    refused(|a| a.location = String::new(), LOCATION, "must be given").await;
    refused(|a| a.location = "l".repeat(10_000), LOCATION, "10000 bytes").await;
    refused(|a| a.location = "file:a b".into(), LOCATION, "white space").await;
    refused(|a| a.location = "file:a\nb".into(), LOCATION, "control character").await;
    refused(|a| a.location = "/a.wasm".into(), LOCATION, "no scheme").await;
    refused(|a| a.location = "ftp://example.org/a".into(), LOCATION, "is not known").await;
    refused(|a| a.location = "http://a:b@example.org/".into(), LOCATION, "credentials").await;
    for checksum in ["abc", "sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "\0"] {
        let artifact = ArtifactSpec { checksum: checksum.into(), ..good.clone() };
        check(&client, new_task("t", &artifact, "add", vec![]), Code::InvalidArgument, CHECKSUM, &[]).await;
    }
    refused(|a| a.checksum = "0".repeat(10_000), CHECKSUM, "").await;
    refused(|a| a.version = "v".repeat(257), "artifact_spec.version", "257 bytes").await;
    refused(|a| a.artifact_type = "v".repeat(257), "artifact_spec.artifact_type", "257 bytes").await;
    refused(|a| a.artifact_id = "v".repeat(257), "artifact_spec.artifact_id", "257 bytes").await;
    let says = "5001 bytes in all";
    refused(|a| a.metadata = [("k".into(), "v".repeat(5_000))].into(), "artifact_spec.metadata", says).await;
}

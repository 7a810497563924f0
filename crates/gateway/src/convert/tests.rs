//! Requests and what they are converted to, or which field is wrong.

use super::*;
use crate::error::ApiError;
use crate::status::ErrorStatus;
use pilum_execution::{Invocation, Mode, Target};
use pilum_proto::spearlet::{
    ArtifactSpec, ExecutionContext, FunctionParameter, InvokeFunctionRequest, ListExecutionsRequest,
    ListTasksRequest,
};
use pilum_types::{State, TenantId, Value};
use prost::Message;
use prost_types::Any;
use std::time::Duration;

const NEW_TASK: i32 = 1;
const EXISTING_TASK: i32 = 2;
const SYNC: i32 = 1;
const ASYNC: i32 = 2;
const STREAM: i32 = 3;

type Change = fn(&mut InvokeFunctionRequest);

/// A correct synchronous call of a new task.
fn request() -> InvokeFunctionRequest {
    InvokeFunctionRequest {
        invocation_type: NEW_TASK,
        task_name: "mail".into(),
        artifact_spec: Some(ArtifactSpec { location: "file:/mail.wasm".into(), ..ArtifactSpec::default() }),
        function_name: "check".into(),
        execution_mode: SYNC,
        ..InvokeFunctionRequest::default()
    }
}

fn existing(request: &mut InvokeFunctionRequest) {
    request.invocation_type = EXISTING_TASK;
    request.task_name.clear();
    request.artifact_spec = None;
    request.task_id = "task-1".into();
}

fn context(request: &mut InvokeFunctionRequest) -> &mut ExecutionContext {
    request.context.get_or_insert_default()
}

fn spec(request: &mut InvokeFunctionRequest) -> &mut ArtifactSpec {
    request.artifact_spec.get_or_insert_default()
}

fn parameter(name: &str) -> FunctionParameter {
    let any = Any { type_url: "t/google.protobuf.BoolValue".into(), value: true.encode_to_vec() };
    FunctionParameter { name: name.into(), value: Some(any), ..FunctionParameter::default() }
}

fn read(change: Change, rpc: Rpc) -> Result<invocation::ParsedInvocation, ApiError> {
    let mut request = request();
    change(&mut request);
    invocation(TenantId::default(), request, rpc)
}

fn accepted(change: Change) -> Invocation {
    read(change, Rpc::Invoke).expect("accepted").invocation
}

/// The request with this change gets an error whose text begins with `expect`.
fn check(expect: &str, rpc: Rpc, change: Change) {
    let error = read(change, rpc).expect_err(expect);
    let message = ErrorStatus::from(&error).message;
    assert!(message.starts_with(expect), "expected {expect:?}, got {message:?}");
}

#[test]
fn a_correct_call() {
    let call = accepted(|_| {});
    assert_eq!((call.function.as_str(), call.mode), ("check", Mode::Sync));
    assert_eq!((call.timeout, call.max_retries, call.execution_id), (None, None, None));
    assert!(matches!(call.target, Target::New(spec) if spec.name.as_str() == "mail"));

    let call = accepted(|request| {
        request.execution_mode = ASYNC;
        request.execution_id = Some("mine-1".into());
        request.parameters = vec![parameter("a"), parameter("b")];
        *context(request) = ExecutionContext {
            timeout_ms: 1_500,
            max_retries: 2,
            execution_id: "mine-1".into(),
            environment: [("B".to_owned(), "2".to_owned()), ("A".to_owned(), "1".to_owned())].into(),
            ..ExecutionContext::default()
        };
    });
    assert_eq!((call.mode, call.timeout), (Mode::Async, Some(Duration::from_millis(1_500))));
    assert_eq!(call.max_retries, Some(2));
    assert_eq!(call.execution_id.expect("given").as_str(), "mine-1");
    assert_eq!(*call.environment, [("A".into(), "1".into()), ("B".into(), "2".into())]);
    assert_eq!(call.parameters[1].value, Value::Bool(true));
}

#[test]
fn which_task() {
    check("invocation_type: must be NEW_TASK or EXISTING_TASK", Rpc::Invoke, |r| r.invocation_type = 0);
    check("invocation_type: ", Rpc::Invoke, |r| r.invocation_type = 9);
    check("task_name: must not be empty", Rpc::Invoke, |r| r.task_name.clear());
    check("task_name: has the character ' '", Rpc::Invoke, |r| r.task_name = "a b".into());
    check("task_description: has 4097 bytes", Rpc::Invoke, |r| r.task_description = "x".repeat(4097));
    check("artifact_spec: must be given", Rpc::Invoke, |r| r.artifact_spec = None);
    check("artifact_spec.location: must be given", Rpc::Invoke, |r| spec(r).location.clear());
    check("artifact_spec.location: has 2049 bytes", Rpc::Invoke, |r| spec(r).location = "x".repeat(2049));
    check("artifact_spec.checksum: expected sha256:", Rpc::Invoke, |r| spec(r).checksum = "md5:1".into());
    check("artifact_spec.version: has 257 bytes", Rpc::Invoke, |r| spec(r).version = "x".repeat(257));
    check("artifact_spec.metadata: has 65 entries", Rpc::Invoke, |r| {
        spec(r).metadata = (0..65).map(|i| (i.to_string(), String::new())).collect();
    });
    check("artifact_spec.metadata: has 4097 bytes in all", Rpc::Invoke, |r| {
        spec(r).metadata = [("k".to_owned(), "v".repeat(4096))].into();
    });
    check("task_id: must be given", Rpc::Invoke, |r| {
        existing(r);
        r.task_id.clear();
    });
    let call = accepted(existing);
    assert!(matches!(call.target, Target::Existing { id, otherwise: None } if id.as_str() == "task-1"));
}

#[test]
fn an_existing_task_that_may_be_created() {
    let parsed = read(existing, Rpc::Invoke).expect("accepted");
    assert!(parsed.if_unknown.is_none(), "NOT_FOUND stays NOT_FOUND");

    // With everything that is needed to create the task.
    let create: Change = |r| {
        r.invocation_type = EXISTING_TASK;
        r.task_id = "task-1".into();
        r.create_if_not_exists = true;
    };
    let parsed = read(create, Rpc::Invoke).expect("accepted");
    assert!(matches!(parsed.invocation.target, Target::Existing { otherwise: Some(_), .. }));

    // Without the artifact a known task can be called; for an unknown task the request
    // is wrong.
    let no_artifact: Change = |r| {
        existing(r);
        r.create_if_not_exists = true;
    };
    let parsed = read(no_artifact, Rpc::Invoke).expect("accepted");
    assert!(matches!(parsed.invocation.target, Target::Existing { otherwise: None, .. }));
    let error = parsed.if_unknown.expect("a better answer than NOT_FOUND");
    assert!(ErrorStatus::from(&error).message.starts_with("artifact_spec: "), "{error:?}");

    // A malformed id is treated like an unknown id.
    let malformed: Change = |r| {
        existing(r);
        r.task_id = "a/b".into();
    };
    let error = read(malformed, Rpc::Invoke).expect_err("unknown");
    assert_eq!(ErrorStatus::from(&error).code, tonic::Code::NotFound);
    check("artifact_spec: no task has that id", Rpc::Invoke, |r| {
        existing(r);
        r.task_id = "a/b".into();
        r.create_if_not_exists = true;
    });
}

#[test]
fn which_mode() {
    assert_eq!(
        accepted(|r| {
            r.execution_mode = 0;
            r.wait = true;
        })
        .mode,
        Mode::Sync
    );
    assert_eq!(
        accepted(|r| {
            r.execution_mode = ASYNC;
            r.wait = true;
        })
        .mode,
        Mode::Async
    );
    for (rpc, number, expect) in [
        (Rpc::Invoke, 0, "execution_mode: must be SYNC or ASYNC here"),
        (Rpc::Invoke, 9, "execution_mode: must be SYNC or ASYNC here"),
        (Rpc::Invoke, STREAM, "execution_mode: STREAM is for the RPC StreamFunction"),
        (Rpc::Stream, SYNC, "execution_mode: SYNC and ASYNC are for the RPC InvokeFunction"),
        (Rpc::Stream, ASYNC, "execution_mode: SYNC and ASYNC are for the RPC InvokeFunction"),
        (Rpc::Stream, 9, "execution_mode: must be STREAM here"),
    ] {
        let request = InvokeFunctionRequest { execution_mode: number, ..request() };
        let error = invocation(TenantId::default(), request, rpc).expect_err(expect);
        let message = ErrorStatus::from(&error).message;
        assert!(message.starts_with(expect), "{message}");
    }
    for number in [0, STREAM] {
        let request = InvokeFunctionRequest { execution_mode: number, ..request() };
        let parsed = invocation(TenantId::default(), request, Rpc::Stream).expect("accepted");
        assert_eq!(parsed.invocation.mode, Mode::Stream);
    }
}

#[test]
fn context_and_names() {
    check("function_name: must not be empty", Rpc::Invoke, |r| r.function_name.clear());
    check("function_name: has the character", Rpc::Invoke, |r| r.function_name = "a b".into());
    check("context.timeout_ms: is -1", Rpc::Invoke, |r| context(r).timeout_ms = -1);
    check("context.max_retries: is -2147483648", Rpc::Invoke, |r| context(r).max_retries = i32::MIN);
    check("execution_id: an id has", Rpc::Invoke, |r| r.execution_id = Some("a b".into()));
    check("context.execution_id: an id has", Rpc::Invoke, |r| context(r).execution_id = "a b".into());
    check("execution_id: differs from context.execution_id", Rpc::Invoke, |r| {
        r.execution_id = Some("one".into());
        context(r).execution_id = "two".into();
    });
    let from_context = accepted(|r| {
        r.execution_id = Some(String::new());
        context(r).execution_id = "one".into();
    });
    assert_eq!(from_context.execution_id.expect("given").as_str(), "one");
    check("invocation_metadata: has 65 entries", Rpc::Invoke, |r| {
        r.invocation_metadata = (0..65).map(|i| (i.to_string(), String::new())).collect();
    });
}

#[test]
fn environments() {
    for name in ["", "1A", "A-B", "A=B", "Ä", "A\0"] {
        let mut request = request();
        context(&mut request).environment = [(name.to_owned(), "v".to_owned())].into();
        let error = invocation(TenantId::default(), request, Rpc::Invoke).expect_err(name);
        assert!(ErrorStatus::from(&error).message.contains("is no name"), "{name}: {error:?}");
    }
    check("context.environment: the value of A holds a NUL", Rpc::Invoke, |r| {
        context(r).environment = [("A".to_owned(), "\0".to_owned())].into();
    });
    check("context.environment: has 65 entries, at most 64", Rpc::Invoke, |r| {
        context(r).environment = (0..65).map(|i| (format!("A{i}"), String::new())).collect();
    });
    check("context.environment: has 32769 bytes in all, at most 32768", Rpc::Invoke, |r| {
        context(r).environment = [("A".to_owned(), "v".repeat(32 * 1024))].into();
    });
    assert_eq!(
        accepted(|r| context(r).environment = [("_a1".to_owned(), "ü".to_owned())].into()).environment.len(),
        1
    );
}

#[test]
fn parameter_lists() {
    check("parameters: has 1025 entries, at most 1024", Rpc::Invoke, |r| {
        r.parameters = vec![parameter(""); 1025];
    });
    check("parameters[1].name: either every parameter has a name", Rpc::Invoke, |r| {
        r.parameters = vec![parameter("a"), parameter("")];
    });
    check("parameters[1].name: either every parameter has a name", Rpc::Invoke, |r| {
        r.parameters = vec![parameter(""), parameter("b")];
    });
    check("parameters[2].name: \"a\" is given twice", Rpc::Invoke, |r| {
        r.parameters = vec![parameter("a"), parameter("b"), parameter("a")];
    });
    check("parameters[0].name: has 257 bytes", Rpc::Invoke, |r| {
        r.parameters = vec![parameter(&"n".repeat(257))];
    });
    check("parameters[0].type: has 4097 bytes", Rpc::Invoke, |r| {
        r.parameters = vec![FunctionParameter { r#type: "t".repeat(4097), ..parameter("a") }];
    });
    check("parameters[0].value: parameter \"a\" has no value", Rpc::Invoke, |r| {
        r.parameters = vec![FunctionParameter { value: None, ..parameter("a") }];
    });
    check(
        "parameters[1].value: parameter 1 holds \"google.protobuf.Empty\", accepted are",
        Rpc::Invoke,
        |r| {
            let empty = Any { type_url: "t/google.protobuf.Empty".into(), value: Vec::new() };
            r.parameters = vec![parameter(""), FunctionParameter { value: Some(empty), ..parameter("") }];
        },
    );
    assert_eq!(accepted(|r| r.parameters = vec![parameter(""), parameter("")]).parameters.len(), 2);
}

#[test]
fn pages() {
    let tasks = |limit| task_page(ListTasksRequest { limit, ..ListTasksRequest::default() });
    assert_eq!(tasks(0).expect("default").limit, 100);
    assert_eq!(tasks(7).expect("as asked").limit, 7);
    assert_eq!(tasks(i32::MAX).expect("bounded").limit, 1_000);
    assert!(tasks(-1).is_err());

    let query = execution_page(&ListExecutionsRequest {
        task_id: "task-1".into(),
        start_after: "exec-1".into(),
        status_filter: 3,
        limit: 5,
    });
    let query = query.expect("accepted").expect("may match");
    assert_eq!((query.limit, query.state), (5, Some(State::Completed)));
    assert_eq!(query.task_id.expect("given").as_str(), "task-1");
    assert_eq!(query.start_after.expect("given").as_str(), "exec-1");

    let wrong = |request| execution_page(&request).expect_err("wrong");
    let base = ListExecutionsRequest::default;
    for (request, field) in [
        (ListExecutionsRequest { limit: -1, ..base() }, "limit"),
        (ListExecutionsRequest { start_after: "a b".into(), ..base() }, "start_after"),
        (ListExecutionsRequest { status_filter: 7, ..base() }, "status_filter"),
    ] {
        let error = wrong(request);
        assert!(matches!(&error, ApiError::Field { field: found, .. } if found == field), "{error:?}");
    }
    let malformed = execution_page(&ListExecutionsRequest { task_id: "a b".into(), ..base() });
    assert!(malformed.expect("accepted").is_none());
}

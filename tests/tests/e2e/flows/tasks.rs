//! Which task and which instance serve a call.

use super::{call, put};
use pilum_proto::spearlet::{
    ArtifactSpec, DeleteTaskRequest, ExecutionContext, GetTaskRequest, InvocationType, InvokeFunctionRequest,
};
use pilum_tests::Host;
use pilum_tests::wire::{census, existing_task, guest_artifact, named, new_task, numbers, returned, text};
use pilum_types::{Output, Value};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_name_with_the_same_code_is_the_same_task() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let adder = ArtifactSpec {
        artifact_id: "an id".into(),
        artifact_type: "wasm".into(),
        version: "1.2.3 beta".into(),
        metadata: [("team".into(), "maths".into())].into(),
        ..guest_artifact("calculate-fibonacci.core.wasm").unwrap()
    };
    let request = InvokeFunctionRequest {
        task_description: "adds".into(),
        ..new_task("adder", &adder, "add", numbers(&[2.0, 40.0]))
    };
    let first = call(&client, request.clone()).await;
    let again = call(&client, request).await;
    let by_id = call(&client, existing_task(&first.task_id, "add", numbers(&[2.0, 40.0]))).await;
    // The same code under another name is another task.
    let renamed = call(&client, new_task("other", &adder, "add", numbers(&[2.0, 40.0]))).await;
    for answer in [&first, &again, &by_id, &renamed] {
        let result = answer.result.as_ref().unwrap();
        assert_eq!(returned(result).unwrap(), Output::Typed(Value::Number(42.0)), "{answer:?}");
    }
    assert_eq!((&again.task_id, &by_id.task_id), (&first.task_id, &first.task_id));
    let ids: BTreeSet<_> = [&first, &again, &by_id, &renamed].map(|a| &a.execution_id).into();
    assert_eq!(ids.len(), 4, "each call is another execution");

    let census = census(&client).await.unwrap();
    let expected = [("adder".to_owned(), first.task_id.clone(), 3), ("other".into(), renamed.task_id, 1)];
    assert_eq!(census.tasks, expected);
    let request = GetTaskRequest { task_id: first.task_id, ..Default::default() };
    let task = client.get_task(request).await.unwrap().into_inner().task.unwrap();
    assert_eq!(task.artifact_spec, Some(adder));
    assert_eq!(task.metadata["description"], "adds");
    assert_eq!(task.metadata["team"], "maths");
}

#[tokio::test]
async fn create_if_not_exists_registers_only_an_unknown_task() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let adder = guest_artifact("calculate-fibonacci.core.wasm").unwrap();
    let create = |id: &str, name: &str| InvokeFunctionRequest {
        invocation_type: InvocationType::ExistingTask.into(),
        task_id: id.to_owned(),
        create_if_not_exists: true,
        ..new_task(name, &adder, "add", numbers(&[2.0, 40.0]))
    };
    assert_eq!(call(&client, create("mine", "adder")).await.task_id, "mine");
    // The task exists now, so the call's name and artifact do not matter.
    assert_eq!(call(&client, create("mine", "renamed")).await.task_id, "mine");
    let known = InvokeFunctionRequest { artifact_spec: None, ..create("mine", "") };
    assert_eq!(call(&client, known).await.task_id, "mine");
    // A task with this name and the same code exists, so the call uses that task.
    assert_eq!(call(&client, create("another", "adder")).await.task_id, "mine");
    let tasks = census(&client).await.unwrap().tasks;
    assert_eq!(tasks, [("adder".to_owned(), "mine".to_owned(), 4)]);
}

#[tokio::test]
async fn a_name_is_free_for_other_code_after_its_task_is_deleted() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let mut ids = BTreeSet::new();
    for n in 1..=3 {
        let code =
            put(&host, "f.wasm", &format!("(module (func (export \"f\") (result i32) i32.const {n}))"));
        let answer = call(&client, new_task("name", &code, "f", vec![])).await;
        assert_eq!(returned(&answer.result.unwrap()).unwrap(), Output::Typed(Value::Number(n.into())));
        let request = DeleteTaskRequest { task_id: answer.task_id.clone(), ..Default::default() };
        assert!(client.delete_task(request).await.unwrap().into_inner().deleted);
        let Err(gone) = client.invoke_function(existing_task(&answer.task_id, "f", vec![])).await else {
            panic!("a deleted task was called")
        };
        assert_eq!(gone.code(), tonic::Code::NotFound);
        ids.insert(answer.task_id);
    }
    assert_eq!(ids.len(), 3, "each registration is a new task");
}

#[tokio::test]
async fn every_call_has_a_new_instance() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let echo = guest_artifact("values-echo.wasm").unwrap();
    let mut instances = BTreeSet::new();
    for force_new_instance in [false, true, false, true, true] {
        let request =
            InvokeFunctionRequest { force_new_instance, ..new_task("echo", &echo, "counter", vec![]) };
        let answer = call(&client, request).await;
        let result = answer.result.unwrap();
        assert_eq!(
            returned(&result).unwrap(),
            Output::Typed(Value::Number(1.0)),
            "the instance was used by another call"
        );
        assert_eq!(result.metrics["instance_calls"], "1");
        assert!(!answer.instance_id.is_empty());
        instances.insert(answer.instance_id);
    }
    assert_eq!(instances.len(), 5);
}

#[tokio::test]
async fn each_call_has_only_its_own_environment() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let echo = guest_artifact("values-echo.wasm").unwrap();
    let get = async |environment: &[(&str, &str)], name: &str| {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let request = InvokeFunctionRequest {
            context: Some(ExecutionContext { environment, ..ExecutionContext::default() }),
            ..new_task("echo", &echo, "env", vec![named("name", text(name))])
        };
        returned(&call(&client, request).await.result.unwrap()).unwrap()
    };
    assert_eq!(get(&[("GREETING", "hello")], "GREETING").await, Output::Typed(Value::String("hello".into())));
    assert_eq!(get(&[], "GREETING").await, Output::Typed(Value::Null), "the variable of another call");
    assert_eq!(get(&[], "PATH").await, Output::Typed(Value::Null), "a variable of the host");
}

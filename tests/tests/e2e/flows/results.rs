//! The shape of an answer: result, usage, times.

use super::{call, put};
use crate::common::put_script;
use pilum_proto::spearlet::{ExecutionMode, ExecutionStatus, InvokeFunctionRequest};
use pilum_tests::wire::{any, guest_artifact, named, new_task, number, numbers, returned, text};
use pilum_tests::{Host, Script};
use pilum_types::{Output, Value};
use prost_types::Any;
use prost_types::value::Kind;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// A `google.protobuf.Value` as it must be sent.
fn value(kind: Kind) -> Any {
    any("Value", &prost_types::Value { kind: Some(kind) })
}

fn string(text: &str) -> Any {
    value(Kind::StringValue(text.into()))
}

#[tokio::test]
async fn typed_results_are_values() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let check = async |task: &str, artifact: &_, function: &str, parameters, expected: Any| {
        let answer = call(&client, new_task(task, artifact, function, parameters)).await;
        assert!(answer.success, "{function}: {answer:?}");
        assert_eq!(answer.result.unwrap().result, Some(expected), "{function}");
    };
    let fibonacci = guest_artifact("calculate-fibonacci.wasm").unwrap();
    let f = "calculate-fibonacci";
    check(f, &fibonacci, f, numbers(&[50.0]), number(12_586_269_025.0)).await;
    // Beyond 2^53 a float cannot hold every integer.
    check(f, &fibonacci, f, numbers(&[93.0]), string("12200160415121876738")).await;

    let echo = guest_artifact("values-echo.wasm").unwrap();
    let one = |value: Any| vec![named("value", value)];
    check("echo", &echo, "print", vec![named("line", text("x"))], value(Kind::NullValue(0))).await;
    check("echo", &echo, "echo-string", one(text("Grüße\0\n")), string("Grüße\0\n")).await;
    let int = any("Int64Value", &i64::MIN);
    check("echo", &echo, "echo-s64", one(int), string("-9223372036854775808")).await;
    check("echo", &echo, "echo-f64", one(any("DoubleValue", &f64::NAN)), string("NaN")).await;
    check("echo", &echo, "echo-bool", one(any("BoolValue", &true)), value(Kind::BoolValue(true))).await;

    let core = put(
        &host,
        "core.wasm",
        r#"(module
             (func (export "several") (result i32 i64 f64)
               (i32.const -1) (i64.const 9007199254740993) (f64.const 0.5))
             (func (export "nothing")))"#,
    );
    let list = prost_types::ListValue {
        values: vec![
            prost_types::Value { kind: Some(Kind::NumberValue(-1.0)) },
            prost_types::Value { kind: Some(Kind::StringValue("9007199254740993".into())) },
            prost_types::Value { kind: Some(Kind::NumberValue(0.5)) },
        ],
    };
    check("core", &core, "several", vec![], value(Kind::ListValue(list))).await;
    check("core", &core, "nothing", vec![], value(Kind::NullValue(0))).await;
}

#[tokio::test]
async fn the_result_of_a_command_is_its_output() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    for output in ["", "hello\n", "{\"not\": \"parsed\"}"] {
        let script = put_script(&host, "script.wasm", &Script::prints(output));
        let answer =
            call(&client, new_task(&format!("t{}", output.len()), &script, "any-name", vec![])).await;
        let expected = any("BytesValue", &output.as_bytes().to_vec());
        assert_eq!(answer.result.unwrap().result, Some(expected), "{output:?}");
    }
}

#[tokio::test]
async fn a_synchronous_answer_has_ids_times_and_metrics() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let sleep = Duration::from_millis(50);
    let script = Script { stdout: "done".into(), ..Script::sleeps(sleep) };
    let script = put_script(&host, "script.wasm", &script);
    let before = SystemTime::now() - Duration::from_secs(1);
    let answer = call(&client, new_task("sleeps", &script, "run", vec![])).await;
    let after = SystemTime::now() + Duration::from_secs(1);

    assert!(answer.success, "{answer:?}");
    assert_eq!((answer.status_endpoint.as_str(), answer.estimated_completion_ms), ("", 0));
    assert!(answer.execution_id.starts_with("exec-"), "{answer:?}");
    assert!(answer.task_id.starts_with("task-"), "{answer:?}");
    assert!(answer.instance_id.starts_with("inst-"), "{answer:?}");
    let result = answer.result.unwrap();
    assert_eq!(result.status(), ExecutionStatus::Completed);
    assert_eq!((result.error_code.as_str(), result.error_message.as_str()), ("", ""));

    let keys: Vec<_> = result.metrics.keys().map(String::as_str).collect();
    let expected =
        ["acquire_us", "attempt", "guest_us", "instance_calls", "peak_memory_bytes", "queue_wait_us"];
    assert_eq!(keys, expected);
    let figure = |key: &str| -> u64 { result.metrics[key].parse().unwrap() };
    assert_eq!((figure("attempt"), figure("instance_calls")), (1, 1));
    assert!(figure("guest_us") >= 50_000, "{result:?}");
    assert_eq!(figure("peak_memory_bytes"), 64 << 10, "one page of wasm");
    assert_eq!(result.memory_used_bytes, 64 << 10);

    let started = SystemTime::try_from(result.started_at.unwrap()).unwrap();
    let completed = SystemTime::try_from(result.completed_at.unwrap()).unwrap();
    assert!(before < started && completed < after, "{result:?}");
    let took = completed.duration_since(started).unwrap();
    assert!(
        took >= sleep && took.as_millis() == u128::try_from(result.execution_time_ms).unwrap(),
        "{result:?}"
    );
}

/// The figure is the peak of the guest's memory, not its limit.
#[tokio::test]
async fn the_peak_of_memory_is_reported() {
    let host = Host::builder().config("[limits]\nfuel = 1000000").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let grows = put(
        &host,
        "grows.wasm",
        r#"(module (memory 2)
             (func (export "f") (param i32) (result i32) (memory.grow (local.get 0))))"#,
    );
    for (pages, peak) in [(0.0, 2_i64 << 16), (14.0, 16 << 16), (1_000.0, 1_002 << 16)] {
        let answer = call(&client, new_task("grows", &grows, "f", numbers(&[pages]))).await;
        let result = answer.result.unwrap();
        assert_eq!(returned(&result).unwrap(), Output::Typed(Value::Number(2.0)));
        assert_eq!(result.memory_used_bytes, peak);
        let fuel: u64 = result.metrics["fuel_consumed"].parse().unwrap();
        assert!((1..1_000).contains(&fuel), "{fuel}");
    }
}

#[tokio::test]
async fn a_stream_has_the_output_in_chunks_and_then_the_end() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let lines: String = (0..30_000).map(|i| format!("{i}\n")).collect();
    let script = put_script(&host, "script.wasm", &Script::prints(&lines));
    let request = InvokeFunctionRequest {
        execution_mode: ExecutionMode::Stream.into(),
        execution_id: Some("mine".into()),
        ..new_task("prints", &script, "run", vec![])
    };
    let mut stream = client.stream_function(request).await.unwrap().into_inner();
    let (mut output, mut ids) = (Vec::new(), BTreeSet::new());
    let last = loop {
        let message = stream.message().await.unwrap().unwrap();
        ids.insert(message.execution_id.clone());
        if message.is_final {
            break message;
        }
        assert_eq!(message.status(), ExecutionStatus::Running);
        let Output::Raw(chunk) = pilum_proto::value::output_from_any(&message.chunk_data.unwrap()).unwrap()
        else {
            panic!("a command sent a typed chunk")
        };
        assert!(!chunk.is_empty() && chunk.len() <= 64 << 10, "{} bytes", chunk.len());
        output.extend(chunk);
    };
    assert!(output == lines.as_bytes(), "{} bytes of {}", output.len(), lines.len());
    assert_eq!(ids, ["mine".to_owned()].into());
    assert_eq!((last.status(), last.chunk_data), (ExecutionStatus::Completed, None));
    assert_eq!(last.metadata["attempt"], "1");
    assert!(last.metadata["task_id"].starts_with("task-"));
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_stream_ends_with_the_failure() {
    let host = Host::start().await.unwrap();
    let mut client = host.raw_client().await.unwrap();
    let script = put_script(&host, "script.wasm", &Script::exits(7));
    let request = InvokeFunctionRequest {
        execution_mode: ExecutionMode::Stream.into(),
        ..new_task("exits", &script, "run", vec![])
    };
    let mut stream = client.stream_function(request).await.unwrap().into_inner();
    let last = stream.message().await.unwrap().unwrap();
    assert!(last.is_final && last.status() == ExecutionStatus::Failed, "{last:?}");
    assert_eq!(last.metadata["error_code"], "GUEST_EXIT");
    assert!(last.error_message.contains("exit code 7"), "{last:?}");
}

//! Executions, tasks and counters as messages.

use super::*;
use pilum_execution::{ArtifactLabels, Attempt, Execution, Mode, Stats, Task, TaskSpec, TaskView};
use pilum_types::{
    ArtifactSource, Digest, ExecutionId, Failure, FailureCode, FunctionName, InstanceId, Outcome, Output,
    Priority, State, TaskId, TaskName, TenantId, Usage, Value,
};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn at_ms(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

/// An execution in this state, with this result if there is one.
fn execution(state: State, result: Option<Result<Output, Failure>>) -> Execution {
    let instance = InstanceId::parse("inst-1").ok();
    let usage = Usage {
        queue_wait: Duration::from_micros(5),
        acquire: Duration::from_micros(6),
        guest: Duration::from_millis(7),
        fuel_consumed: None,
        peak_memory_bytes: 65_536,
        attempt: 1,
        instance_calls: 1,
    };
    let started = (state != State::Pending).then_some(at_ms(1_000));
    Execution {
        id: ExecutionId::parse("exec-1").expect("an id"),
        tenant: TenantId::default(),
        task_id: TaskId::parse("task-1").expect("an id"),
        function: FunctionName::parse("check").expect("a name"),
        mode: Mode::Async,
        priority: Priority::Normal,
        state,
        accepted_at: at_ms(900),
        started_at: started,
        completed_at: result.as_ref().map(|_| at_ms(1_250)),
        attempts: vec![Attempt {
            number: 1,
            started_at: at_ms(1_000),
            took: None,
            failure: None,
            instance: instance.clone(),
        }],
        outcome: result.map(|result| Arc::new(Outcome { result, usage, log: Vec::new(), instance })),
        is_dead_letter: false,
        queue_position: None,
    }
}

fn completed(output: Output) -> Execution {
    execution(State::Completed, Some(Ok(output)))
}

fn failed(code: FailureCode, message: &str) -> Execution {
    execution(code.state(), Some(Err(Failure::new(code, message))))
}

#[test]
fn a_finished_call() {
    insta::assert_debug_snapshot!(finished(&completed(Output::Typed(Value::Signed(42)))));
}

#[test]
fn a_failed_call() {
    let trap = failed(FailureCode::TrapUnreachable, "unreachable\n  0: boom\n  1: main");
    let response = finished(&trap);
    assert!(!response.success);
    assert_eq!(response.message, "TRAP_UNREACHABLE: unreachable");
    let result = response.result.expect("a result");
    assert_eq!((result.status, result.error_code.as_str()), (4, "TRAP_UNREACHABLE"));
    assert_eq!(result.error_message, "unreachable\n  0: boom\n  1: main");
    assert_eq!(finished(&failed(FailureCode::DeadlineExceeded, "")).result.expect("a result").status, 6);
    assert_eq!(finished(&failed(FailureCode::Cancelled, "")).result.expect("a result").status, 5);
}

#[test]
fn a_pending_call() {
    let response = pending(&execution(State::Pending, None), Duration::ZERO);
    assert!(response.success);
    assert_eq!(response.status_endpoint, "/api/v1/execution/exec-1/status");
    assert_eq!(response.estimated_completion_ms, 1);
    let result = response.result.expect("a result");
    assert_eq!((result.status, result.metrics.len(), result.execution_time_ms), (1, 0, 0));

    // The same submission was made before, and its execution has ended.
    let response = pending(&completed(Output::Raw(vec![1])), Duration::from_secs(9));
    assert!(response.success);
    assert_eq!(response.estimated_completion_ms, 0);
    assert!(!pending(&failed(FailureCode::GuestExit, "exit code 1"), Duration::ZERO).success);
}

#[test]
fn a_result_that_nests_too_deep_is_an_error() {
    let deep = (0..40).fold(Value::Null, |inner, _| Value::List(vec![inner]));
    let response = finished(&completed(Output::Typed(deep)));
    assert!(!response.success);
    let result = response.result.expect("a result");
    assert_eq!((result.status, result.error_code.as_str()), (3, "RESULT_TOO_LARGE"));
    assert!(result.error_message.contains("nests more than 32"), "{}", result.error_message);
}

#[test]
fn fuel_is_shown_only_if_it_is_metered() {
    let usage = Usage { attempt: 2, fuel_consumed: Some(9), ..Usage::default() };
    assert_eq!(metrics(&usage).get("fuel_consumed").map(String::as_str), Some("9"));
    assert!(!metrics(&Usage { fuel_consumed: None, ..usage }).contains_key("fuel_consumed"));
}

#[test]
fn a_raw_result_in_chunks() {
    let messages = last_messages(&completed(Output::Raw(vec![7; 150_000])));
    let read = |message: &pilum_proto::spearlet::StreamExecutionResult| {
        let any = message.chunk_data.as_ref()?;
        match pilum_proto::value::output_from_any(any) {
            Ok(Output::Raw(bytes)) => Some(bytes.len()),
            other => panic!("{other:?}"),
        }
    };
    let sizes: Vec<_> = messages.iter().map(read).collect();
    assert_eq!(sizes, [Some(65_536), Some(65_536), Some(18_928), None]);
    assert_eq!(messages.iter().map(|m| m.is_final).collect::<Vec<_>>(), [false, false, false, true]);
    assert_eq!(messages.iter().map(|m| m.status).collect::<Vec<_>>(), [2, 2, 2, 3]);
    let last = messages.last().expect("a final message");
    assert_eq!(last.metadata.get("guest_us").map(String::as_str), Some("7000"));
}

#[test]
fn a_failed_stream_is_one_message() {
    let messages = last_messages(&failed(FailureCode::FuelExhausted, "out of fuel"));
    assert_eq!(messages.len(), 1);
    assert!(messages[0].is_final && messages[0].chunk_data.is_none());
    assert_eq!(messages[0].metadata.get("error_code").map(String::as_str), Some("FUEL_EXHAUSTED"));
    assert_eq!(messages[0].error_message, "out of fuel");
}

#[test]
fn a_line_of_a_listing() {
    let info = execution_info(&failed(FailureCode::GuestError, &"x".repeat(5_000)).summary());
    assert_eq!(info.error_message.len(), 1024);
    insta::assert_debug_snapshot!((info.metadata, info.execution_mode, info.status, info.execution_time_ms));
}

fn view(name: &str, kind: &str, execution_count: u64) -> TaskView {
    let spec = TaskSpec {
        name: TaskName::parse(name).expect("a name"),
        description: "checks".into(),
        source: ArtifactSource { location: "file:/a.wasm".into(), checksum: None },
        artifact: ArtifactLabels { id: "a".into(), kind: kind.into(), version: "1".into() },
        metadata: vec![("team".into(), "mail".into())],
        policy: Arc::default(),
    };
    let id = TaskId::parse(&format!("task-{name}")).expect("an id");
    let task = Task::new(id, TenantId::default(), spec, Digest::from_bytes([0xab; 32]), at_ms(5));
    TaskView { task: Arc::new(task), execution_count, last_state: None, updated_at: at_ms(6) }
}

#[test]
fn a_task() {
    insta::assert_debug_snapshot!(task_info(&view("mail", "wasm", u64::MAX), true));
    let short = task_info(&view("mail", "wasm", 1), false);
    assert!(short.artifact_spec.is_none() && short.metadata.is_empty());
}

#[test]
fn counts_of_tasks() {
    let stats = task_stats(vec![view("a", "wasm", 0), view("b", "", 3), view("c", "wasm", 8)]);
    assert_eq!((stats.active_tasks, stats.idle_tasks), (2, 1));
    assert_eq!(stats.tasks_by_type, [("unspecified".to_owned(), 1), ("wasm".to_owned(), 2)].into());
    let names: Vec<_> = stats.most_active_tasks.iter().map(|task| task.task_name.as_str()).collect();
    assert_eq!(names, ["c", "b"]);
}

#[test]
fn counts_of_executions() {
    let none = execution_stats(&Stats::default(), Vec::new());
    assert_eq!((none.average_execution_time_ms, none.success_rate_percent), (0.0, 0.0));
    let stats = Stats {
        completed: 3,
        failed: 1,
        guest_time: Duration::from_millis(400),
        running: u64::MAX / 2,
        ..Stats::default()
    };
    let some = execution_stats(&stats, vec![("f".into(), 4)]);
    assert_eq!((some.average_execution_time_ms, some.success_rate_percent), (100.0, 75.0));
    assert_eq!((some.running_executions, some.executions_by_function["f"]), (i32::MAX, 4));
}

#[test]
fn pages_are_bounded_in_entries_and_in_bytes() {
    let entry = |bytes: usize| pilum_proto::spearlet::ExecutionInfo {
        error_message: "x".repeat(bytes),
        ..Default::default()
    };
    let sizes = |bytes, found: usize, limit| {
        let page = page((0..found).map(|_| entry(bytes)), limit);
        (page.entries.len(), page.has_more)
    };
    assert_eq!(sizes(10, 3, 3), (3, false));
    assert_eq!(sizes(10, 4, 3), (3, true));
    assert_eq!(sizes(3_000_000, 4, 10), (2, true));
    assert_eq!(sizes(9_000_000, 2, 10), (1, true), "a page has at least one entry");
}

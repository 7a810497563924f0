//! GetHealth, GetStats and `/metrics` have the right figures.

use crate::common::{adder, call_ok, cancel, sleeper};
use pilum_proto::spearlet::{
    ExecutionContext, ExecutionStatus, GetHealthRequest, GetStatsRequest, GetStatsResponse,
    InvokeFunctionRequest,
};
use pilum_tests::wire::{RawClient, asynchronous, guest_artifact, new_task, until_status, with_id};
use pilum_tests::{Host, get};
use std::collections::BTreeMap;
use tonic::Code;

/// Makes a known number of executions with each kind of end; leaves one running and
/// two pending.
async fn history(client: &RawClient) {
    let trap = guest_artifact("hostile_trap.wasm").unwrap();
    for i in 0..4 {
        call_ok(client, with_id(&format!("adds-{i}"), adder("adder"))).await;
    }
    for i in 0..2 {
        let request = with_id(&format!("traps-{i}"), new_task("trap", &trap, "run", vec![]));
        client.clone().invoke_function(request).await.unwrap();
    }
    let context = ExecutionContext { timeout_ms: 20, ..ExecutionContext::default() };
    let late = InvokeFunctionRequest { context: Some(context), ..sleeper("sleep") };
    client.clone().invoke_function(late).await.unwrap();
    for id in ["cancelled", "runs"] {
        call_ok(client, asynchronous(with_id(id, sleeper("sleep")))).await;
        until_status(client, id, ExecutionStatus::Running).await.unwrap();
        if id == "cancelled" {
            cancel(client, id).await;
        }
    }
    for id in ["waits-1", "waits-2"] {
        call_ok(client, asynchronous(with_id(id, sleeper("sleep")))).await;
    }
    let refused = InvokeFunctionRequest { function_name: "no-such".into(), ..adder("adder") };
    assert_eq!(client.clone().invoke_function(refused).await.unwrap_err().code(), Code::NotFound);
}

async fn busy_host() -> (Host, RawClient) {
    let host =
        Host::builder().config("[async_execution]\nmax_concurrent_executions = 1").start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    history(&client).await;
    (host, client)
}

async fn stats(client: &RawClient, tasks: bool, executions: bool) -> GetStatsResponse {
    let request = GetStatsRequest {
        include_task_stats: tasks,
        include_execution_stats: executions,
        time_range_hours: 24,
    };
    client.clone().get_stats(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_new_host_has_empty_statistics() {
    let host = Host::start().await.unwrap();
    let client = host.raw_client().await.unwrap();
    let all = stats(&client, true, true).await;
    let (service, tasks, executions) =
        (all.service_stats.unwrap(), all.task_stats.unwrap(), all.execution_stats.unwrap());
    assert_eq!((service.total_tasks, service.total_executions), (0, 0));
    assert!(service.total_memory_used > 1 << 20 && service.memory_usage_percent > 0.0, "{service:?}");
    assert!(service.cpu_usage_percent.is_finite() && service.cpu_usage_percent >= 0.0, "{service:?}");
    assert_eq!((tasks.active_tasks, tasks.idle_tasks, tasks.most_active_tasks.len()), (0, 0, 0));
    // No execution has ended, so the averages are 0 and not NaN.
    assert_eq!((executions.average_execution_time_ms, executions.success_rate_percent), (0.0, 0.0));
    let few = stats(&client, false, false).await;
    assert!(few.service_stats.is_some() && few.task_stats.is_none() && few.execution_stats.is_none());
    let request = GetStatsRequest { time_range_hours: -1, ..Default::default() };
    assert_eq!(client.clone().get_stats(request).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn executions_are_counted_by_state_and_function() {
    let (_host, client) = busy_host().await;
    let all = stats(&client, false, true).await;
    let service = all.service_stats.unwrap();
    assert_eq!((service.total_tasks, service.total_executions), (3, 11));
    let executions = all.execution_stats.unwrap();
    assert_eq!((executions.running_executions, executions.pending_executions), (1, 2));
    // Failed are the traps and the timeout; a cancelled execution is not counted.
    assert_eq!((executions.completed_executions, executions.failed_executions), (4, 3));
    assert_eq!(executions.success_rate_percent, 50.0);
    assert!(executions.average_execution_time_ms > 0.0, "{executions:?}");
    let by_function: BTreeMap<_, _> = [("add".to_owned(), 4), ("run".to_owned(), 4)].into();
    assert_eq!(executions.executions_by_function, by_function);
}

#[tokio::test]
async fn tasks_are_counted_by_activity_and_type() {
    let (_host, client) = busy_host().await;
    let mut typed = adder("typed");
    typed.artifact_spec.as_mut().unwrap().artifact_type = "core".into();
    call_ok(&client, typed).await;
    let tasks = stats(&client, true, false).await.task_stats.unwrap();
    assert_eq!((tasks.active_tasks, tasks.idle_tasks), (4, 0));
    assert_eq!(tasks.tasks_by_type, [("core".to_owned(), 1), ("unspecified".to_owned(), 3)].into());
    let most: Vec<_> =
        tasks.most_active_tasks.iter().map(|t| (t.task_name.as_str(), t.execution_count)).collect();
    assert_eq!(most, [("sleep", 5), ("adder", 4), ("trap", 2), ("typed", 1)]);
}

#[tokio::test]
async fn health_has_the_details_on_request() {
    let (host, client) = busy_host().await;
    let ask = async |include_details| {
        client.clone().get_health(GetHealthRequest { include_details }).await.unwrap().into_inner()
    };
    let health = ask(true).await;
    assert_eq!((health.status.as_str(), health.message.as_str()), ("healthy", ""));
    let details = health.details.unwrap();
    assert_eq!((details.active_tasks, details.total_executions), (3, 11));
    assert_eq!((details.running_executions, details.pending_executions), (1, 2));
    assert!(details.total_memory_used > 1 << 20, "{details:?}");
    assert_eq!(details.system_info["queue_capacity"], "1000");
    assert_eq!(details.system_info["sync_slots"], "100");
    assert_eq!(details.system_info["sync_slots_in_use"], "0");
    assert!(details.system_info.contains_key("version") && details.system_info.contains_key("arch"));
    assert!(ask(false).await.details.is_none());

    assert_eq!(get(&host.http, "/healthz").await.unwrap(), (200, "ok\n".to_owned()));
    assert_eq!(get(&host.http, "/readyz").await.unwrap(), (200, "ready\n".to_owned()));
}

#[tokio::test]
async fn metrics_count_executions_and_tasks() {
    let (host, _client) = busy_host().await;
    let (status, text) = get(&host.http, "/metrics").await.unwrap();
    assert_eq!(status, 200);
    for line in [
        "pilum_executions_total{state=\"completed\"} 4",
        "pilum_executions_total{state=\"failed\"} 2",
        "pilum_executions_total{state=\"timeout\"} 1",
        "pilum_executions_total{state=\"cancelled\"} 1",
        "pilum_executions_running 1",
        "pilum_executions_pending 2",
        "pilum_tasks 3",
        "pilum_sync_slots_in_use 0",
        "pilum_refused_total 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let figure = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    };
    assert!(figure("process_resident_memory_bytes") > 1e6);
    assert!(figure("pilum_uptime_seconds") > 0.0 && figure("pilum_guest_seconds_total") > 0.0);
    assert!(text.ends_with("# EOF\n"), "the end mark of OpenMetrics");
}

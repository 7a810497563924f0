//! Hostile guests are stopped at their limits and do not affect other calls.
//!
//! The bounds on time are generous, because these tests share their machine with
//! others. The error code, the state and the host's health afterwards are exact.

mod bombs;
mod modules;
mod reach;

use futures::future::join_all;
use pilum_client::InvokeResult;
use pilum_tests::{Functions, Host, idle, resident_bytes, resident_peak_bytes, until};
use pilum_types::State;
use serde_json::json;
use std::time::Duration;

/// How much later than its deadline a call may end on a busy machine.
const LATE_MAX: Duration = Duration::from_secs(2);
/// Memory that a host may use beside that of its guests: for code, records and buffers.
const SLACK_BYTES: u64 = 32 << 20;

/// Makes a call with a timeout. The call must fail, and not much later than that.
async fn stopped(functions: &Functions, function: &str, timeout: Duration) -> InvokeResult {
    let call = functions.call(function, json!(null)).unwrap().timeout(timeout);
    let invoked = functions.client().invoke(call).await.unwrap();
    assert!(!invoked.success, "{:?}", invoked.status);
    assert!(invoked.status.duration <= timeout + LATE_MAX, "{:?}", invoked.status.duration);
    invoked
}

async fn check_stopped(functions: &Functions, timeout_ms: u64, state: State, code: &str) -> String {
    let status = stopped(functions, "run", Duration::from_millis(timeout_ms)).await.status;
    assert_eq!((status.state, status.error_code.as_deref()), (state, Some(code)), "{}", status.error_message);
    status.error_message
}

/// Checks that the host is healthy and idle and serves a call.
async fn check_unharmed(host: &Host) {
    let good = Functions::of_guest(host, "calculate-fibonacci.wasm").await.unwrap();
    assert_eq!(good.result("add", json!([2, 40])).await.unwrap(), 42);
    let health = idle(good.client()).await.unwrap();
    assert_eq!((health.status.as_str(), health.running), ("healthy", 0), "{health:?}");
}

/// The host's resident memory after a first call.
async fn resident_at_rest(host: &Host) -> u64 {
    check_unharmed(host).await;
    resident_bytes(host.pid().unwrap()).unwrap()
}

#[track_caller]
fn check_memory(host: &Host, at_rest: u64, allowed: u64) {
    let peak = resident_peak_bytes(host.pid().unwrap()).unwrap();
    let most = at_rest + allowed + SLACK_BYTES;
    assert!(
        peak <= most,
        "at rest {} MiB, at most {} MiB, allowed {}",
        at_rest >> 20,
        peak >> 20,
        most >> 20
    );
}

#[tokio::test]
async fn loops_and_sleeps_end_at_their_deadline() {
    let host = Host::start().await.unwrap();
    for guest in [
        "hostile_spin.wasm",
        "hostile_spin.component.wasm",
        "hostile_sleep.wasm",
        "hostile_sleep.component.wasm",
    ] {
        let guest = Functions::of_guest(&host, guest).await.unwrap();
        for timeout_ms in [1, 20, 100] {
            let message = check_stopped(&guest, timeout_ms, State::Timeout, "DEADLINE_EXCEEDED").await;
            assert!(message.contains(&format!("{timeout_ms} ms")), "{message}");
        }
    }
    check_unharmed(&host).await;
}

#[tokio::test]
async fn thirty_hostile_guests_do_not_block_other_calls() {
    const TIMEOUT: Duration = Duration::from_secs(3);
    let host = Host::start().await.unwrap();
    check_unharmed(&host).await;
    let good = Functions::of_guest(&host, "calculate-fibonacci.wasm").await.unwrap();
    let mut bad = Vec::new();
    for guest in ["hostile_spin.wasm", "hostile_spin.component.wasm", "hostile_sleep.component.wasm"] {
        let guest = Functions::of_guest(&host, guest).await.unwrap();
        // Compiled first, so that all thirty run at the same time.
        stopped(&guest, "run", Duration::from_millis(1)).await;
        bad.extend(std::iter::repeat_n(guest, 10));
    }
    let all_bad = join_all(bad.iter().map(|guest| stopped(guest, "run", TIMEOUT)));
    let meanwhile = async {
        let crowded = async || Ok((good.client().health().await?.running >= 25).then_some(()));
        until("thirty at once", crowded).await.unwrap();
        for n in 0..5 {
            assert_eq!(good.result("add", json!([n, 1])).await.unwrap(), n + 1);
        }
        good.client().health().await.unwrap().running
    };
    let (ended, left) = tokio::join!(all_bad, meanwhile);
    // The good calls were served while hostile ones ran.
    assert!(left > 0, "{left} ran");
    assert!(ended.iter().all(|invoked| invoked.status.state == State::Timeout));
    check_unharmed(&host).await;
}

#[tokio::test]
async fn a_guest_gets_no_more_memory_than_its_limit() {
    const CAP: u64 = 64 << 20;
    let host = Host::builder().config(&format!("[limits]\nmemory_max_bytes = {CAP}")).start().await.unwrap();
    let at_rest = resident_at_rest(&host).await;
    for guest in ["hostile_memory.wasm", "hostile_memory.component.wasm"] {
        let guest = Functions::of_guest(&host, guest).await.unwrap();
        for _ in 0..10 {
            let status = stopped(&guest, "run", Duration::from_secs(20)).await.status;
            assert_eq!(
                (status.state, status.error_code.as_deref()),
                (State::Failed, Some("MEMORY_LIMIT")),
                "{}",
                status.error_message
            );
            assert!((CAP / 2..=CAP).contains(&status.memory_used_bytes), "{}", status.memory_used_bytes);
        }
    }
    check_memory(&host, at_rest, CAP);
    check_unharmed(&host).await;
}

#[tokio::test]
async fn endless_recursion_fails_each_time() {
    let host = Host::start().await.unwrap();
    let at_rest = resident_at_rest(&host).await;
    for guest in ["hostile_recursion.wasm", "hostile_recursion.component.wasm"] {
        let guest = Functions::of_guest(&host, guest).await.unwrap();
        for _ in 0..100 {
            let message = check_stopped(&guest, 20_000, State::Failed, "TRAP_STACK_OVERFLOW").await;
            assert!(message.contains("descend"), "{message}");
        }
    }
    check_memory(&host, at_rest, 0);
    check_unharmed(&host).await;
}

#[tokio::test]
async fn a_trap_is_reported_with_its_backtrace() {
    let host = Host::start().await.unwrap();
    for guest in ["hostile_trap.wasm", "hostile_trap.component.wasm"] {
        let guest = Functions::of_guest(&host, guest).await.unwrap();
        let message = check_stopped(&guest, 20_000, State::Failed, "TRAP_UNREACHABLE").await;
        let frames = ["inner_step", "middle_step", "outer_step"].map(|frame| message.find(frame));
        assert!(frames.iter().all(Option::is_some) && frames.is_sorted(), "{message}");
    }
    check_unharmed(&host).await;
}

#[tokio::test]
async fn endless_output_is_cut_at_its_limits() {
    const RESULT_MAX: u64 = 1 << 20;
    let config = format!("[limits]\nresult_max_bytes = {RESULT_MAX}\nlog_max_bytes = 65536");
    let host = Host::builder().config(&config).start().await.unwrap();
    let at_rest = resident_at_rest(&host).await;
    for guest in ["hostile_output.wasm", "hostile_output.component.wasm"] {
        let guest = Functions::of_guest(&host, guest).await.unwrap();
        for function in ["run", "stderr"] {
            let ended = stopped(&guest, function, Duration::from_millis(500)).await;
            assert_eq!(ended.status.error_code.as_deref(), Some("DEADLINE_EXCEEDED"));
            assert_eq!(ended.status.output, None);
            let report = guest.client().status(&ended.execution_id, true, true).await.unwrap().unwrap();
            let kept: usize = report.logs.iter().map(String::len).sum();
            if function == "run" {
                assert_eq!(kept, 0, "standard output is the result, not the log");
                continue;
            }
            assert!((1..2 * 65_536).contains(&kept), "{kept} bytes");
            assert_eq!(report.logs[0], "stderr: line 0 of very many that nobody asked for");
            let last = report.logs.last().unwrap();
            assert!(last.starts_with("host: the log is cut here: it may have 65536 bytes, "), "{last}");
        }
    }
    check_memory(&host, at_rest, RESULT_MAX);
    check_unharmed(&host).await;
}

/// Asynchronous calls have the same limits, and cancelling stops a guest in a loop and in
/// a host call.
#[tokio::test]
async fn asynchronous_guests_are_stopped_too() {
    let host = Host::start().await.unwrap();
    for guest in ["hostile_spin.wasm", "hostile_sleep.component.wasm"] {
        let guest = Functions::of_guest(&host, guest).await.unwrap();
        let client = guest.client();
        let call = || guest.call("run", json!(null)).unwrap().mode(pilum_client::Mode::Async);
        let timed = client.invoke(call().timeout(Duration::from_millis(50))).await.unwrap();
        let endless = client.invoke(call()).await.unwrap();
        let running = async || {
            let report = client.status(&endless.execution_id, false, false).await?;
            Ok(report.filter(|report| report.status.state == State::Running))
        };
        until("a running guest", running).await.unwrap();
        assert!(!client.cancel(&endless.execution_id, "", false).await.unwrap().success);
        let cancelled = client.cancel(&endless.execution_id, "enough", true).await.unwrap();
        assert_eq!((cancelled.success, cancelled.state), (true, State::Cancelled));
        let timed = pilum_tests::ended(client, &timed.execution_id).await.unwrap();
        assert_eq!(timed.status.state, State::Timeout, "{:?}", timed.status);
    }
    check_unharmed(&host).await;
}

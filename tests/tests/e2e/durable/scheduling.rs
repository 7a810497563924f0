//! Priorities and times, and the refusal of wrong ones.

use super::{script, submit};
use pilum_client::{Call, Mode};
use pilum_tests::{Functions, Host, Pilum, Script, ended};
use pilum_types::{Priority, State};
use serde_json::json;
use std::time::{Duration, SystemTime};

const ONE: &str = "[async_execution]\nmax_concurrent_executions = 1";

#[tokio::test]
async fn urgent_executions_run_first_and_scheduled_ones_at_their_time() {
    let host = Host::builder().config(ONE).start().await.unwrap();
    let sleeps = script(&host, "sleeps", &Script::sleeps(Duration::from_millis(300))).await;
    let call = || sleeps.call("run", json!(null)).unwrap();
    submit(&sleeps, call()).await;
    let mut usual = Vec::new();
    for _ in 0..3 {
        usual.push(submit(&sleeps, call()).await);
    }
    let at = SystemTime::now() + Duration::from_millis(2_500);
    let later = submit(&sleeps, call().not_before(at)).await;
    let urgent = submit(&sleeps, call().priority(Priority::Urgent)).await;
    let client = sleeps.client();
    let position = client.status(&urgent, false, false).await.unwrap().unwrap().queue_position;
    assert_eq!(position, Some(1));
    let urgent = ended(client, &urgent).await.unwrap().status;
    let last = ended(client, usual.last().unwrap()).await.unwrap().status;
    assert!(urgent.completed_at < last.completed_at);
    let later = ended(client, &later).await.unwrap().status;
    assert!(later.started_at.unwrap() >= at, "{later:?}");
}

#[tokio::test]
async fn an_execution_that_cannot_meet_its_deadline_is_not_run() {
    let host = Host::builder().config(ONE).start().await.unwrap();
    let sleeps = script(&host, "sleeps", &Script::sleeps(Duration::from_millis(800))).await;
    let call = || sleeps.call("run", json!(null)).unwrap();
    let known = submit(&sleeps, call()).await;
    ended(sleeps.client(), &known).await.unwrap();
    submit(&sleeps, call()).await;
    let hopeless = submit(&sleeps, call().deadline(SystemTime::now() + Duration::from_millis(1_200))).await;
    let report = ended(sleeps.client(), &hopeless).await.unwrap();
    assert_eq!(report.status.state, State::Timeout, "{report:?}");
    assert!(report.attempts.is_empty(), "{report:?}");
    assert_eq!(report.status.error_code.as_deref(), Some("DEADLINE_EXCEEDED"));
}

#[tokio::test]
async fn a_wrong_schedule_is_refused_with_its_field() {
    let host = Host::start().await.unwrap();
    let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    let call = || add.call("add", json!([1, 1])).unwrap();
    let day = Duration::from_secs(86_400);
    let now = SystemTime::now();
    let check = async |call: Call, field: &str| {
        let error = add.client().invoke(call).await.unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
    };
    check(call().priority(Priority::High), "context.priority").await;
    check(call().not_before(now), "context.not_before").await;
    check(call().deadline(now + day), "context.deadline").await;
    check(call().callback("https://example.com"), "context.callback_url").await;
    let later = || call().mode(Mode::Async);
    check(later().not_before(now + 400 * day), "context.not_before").await;
    check(later().not_before(now + day).deadline(now + day / 2), "context.deadline").await;
    check(later().deadline(now + 4_000 * day), "context.deadline").await;
    check(later().callback("ftp://example.com"), "context.callback_url").await;
    check(later().callback("http://127.0.0.1:1/"), "context.callback_url").await;
    check(later().callback(format!("https://example.com/{}", "x".repeat(3_000))), "context.callback_url")
        .await;
    assert_eq!(add.client().stats().await.unwrap().executions, 0, "no execution is created");
    // A deadline in the past is no wrong argument: the execution is accepted and times out.
    let over = submit(&add, call().deadline(now - day)).await;
    assert_eq!(ended(add.client(), &over).await.unwrap().status.state, State::Timeout);
}

#[tokio::test]
async fn the_command_line_takes_priorities_and_times() {
    let host = Host::start().await.unwrap();
    let add = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    add.invoke("add", json!([1, 1])).await.unwrap();
    let run = async |flags: &[&str]| {
        let call = ["invoke", "--server", &host.grpc, "calculate-fibonacci.core", "add", "1", "2"];
        Pilum::new([&call, flags].concat()).unwrap().run().await.unwrap()
    };
    let ran =
        run(&["--async", "--priority", "high", "--not-before", "1h", "--deadline", "2h", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let (_, shown) = super::json_at(&host, answer["status_endpoint"].as_str().unwrap()).await;
    assert_eq!((&shown["priority"], &shown["status"]), (&json!("high"), &json!("PENDING")));
    assert_eq!(run(&["--priority", "high"]).await.code, Some(2), "--priority needs --async");
    let ran = run(&["--async", "--deadline", "soon"]).await;
    assert!(ran.code == Some(2) && ran.stderr.contains("10m"), "{ran:?}");
}

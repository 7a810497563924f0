//! The command line against a host.

use super::{check_ended, path, pilum};
use pilum_tests::{CommandOutput, Host, Pilum, Script, until};
use serde_json::{Value as Json, json};

/// The command line, used with one host.
struct Aimed<'a>(&'a Host);

impl Aimed<'_> {
    async fn run(&self, arguments: &[&str]) -> CommandOutput {
        pilum(arguments.iter().chain(&["--server", &self.0.grpc])).await
    }

    /// Runs with `--json`; returns the exit code and the answer.
    async fn json(&self, arguments: &[&str]) -> (i32, Json) {
        let ran = self.run(&[arguments, &["--json"]].concat()).await;
        let answer = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        (ran.code.unwrap(), answer)
    }

    async fn check(&self, arguments: &[&str], code: i32, stdout: &str, stderr: &str) {
        check_ended(&self.run(arguments).await, code, stdout, stderr);
    }

    async fn until_status(&self, id: &str, wanted: &str) -> Json {
        until(&format!("{id} {wanted}"), async || {
            let (_, answer) = self.json(&["status", id, "--logs"]).await;
            Ok((answer["status"] == wanted).then_some(answer))
        })
        .await
        .unwrap()
    }
}

fn text<'a>(answer: &'a Json, field: &str) -> &'a str {
    answer[field].as_str().unwrap_or_else(|| panic!("{field}: {answer}"))
}

#[tokio::test]
async fn a_function_is_called_by_location_by_name_and_by_id() {
    let host = Host::start().await.unwrap();
    let pilum = Aimed(&host);
    let location = format!("file://{}", path("calculate-fibonacci.wasm"));
    pilum
        .check(
            &["invoke", "calculate-fibonacci", "add", "1", "2"],
            2,
            "",
            "there is no task calculate-fibonacci",
        )
        .await;
    let (code, answer) = pilum.json(&["invoke", &location, "add", "a=2", "b=40"]).await;
    assert_eq!((code, &answer["result"]), (0, &json!(42)));
    let task = text(&answer, "task_id").to_owned();
    let ran = pilum.run(&["invoke", "calculate-fibonacci", "calculate-fibonacci", "50"]).await;
    assert_eq!((ran.stdout.as_str(), ran.code), ("12586269025\n", Some(0)));
    let (_, answer) = pilum.json(&["invoke", &task, "add", "3", "4"]).await;
    assert_eq!((&answer["task_id"], &answer["result"]), (&json!(task), &json!(7)));
    let (_, answer) = pilum.json(&["invoke", &location, "add", "1", "1", "--task-name", "other"]).await;
    assert_ne!(answer["task_id"], task);

    let (_, answer) = pilum.json(&["tasks"]).await;
    let tasks = answer["tasks"].as_array().unwrap();
    let names: Vec<&str> = tasks.iter().map(|task| text(task, "name")).collect();
    assert_eq!(names, ["calculate-fibonacci", "other"]);
    assert_eq!((&tasks[0]["task_id"], &tasks[0]["executions"]), (&json!(task), &json!(3)));
    assert_eq!((&tasks[0]["location"], &tasks[0]["last_status"]), (&json!(location), &json!("COMPLETED")));
    assert!(text(&tasks[0], "checksum").starts_with("sha256:"));
    let ran = pilum.run(&["tasks", "oth"]).await;
    check_ended(&ran, 0, "NAME", "");
    assert!(ran.stdout.contains("other") && !ran.stdout.contains(&task), "{}", ran.stdout);

    for (arguments, code, says) in [
        (&["invoke", "task-nobody", "add", "1", "2"][..], 2, "task-nobody"),
        (&["invoke", "other", "add", "1"], 2, "b: is missing"),
        (&["invoke", "other", "subtract"], 2, "add: func("),
        (&["invoke", &location, "add", "1", "2", "--checksum", "sha256:12"], 2, "--checksum"),
        (&["invoke", &location, "add", "1", "2", "--task-name", "a/b"], 2, "the task name \"a/b\""),
        (&["invoke", "file:///no/such.wasm", "f"], 2, "checksum"),
        (&["invoke", "other", "add", "1", "2", "--timeout-ms", "999999999"], 2, "timeout_ms"),
    ] {
        pilum.check(arguments, code, "", says).await;
    }
    let wrong = format!("sha256:{}", "0".repeat(64));
    let arguments = ["invoke", &location, "add", "1", "2", "--task-name", "third", "--checksum", &wrong];
    pilum.check(&arguments, 2, "", "has the digest").await;
}

#[tokio::test]
async fn an_asynchronous_execution_can_be_followed() {
    let host = Host::start().await.unwrap();
    let pilum = Aimed(&host);
    let script = Script { stdout: "{\"sum\":3}".into(), stderr: "adding\nadded".into(), ..Script::default() };
    let (location, _) = host.put("adds.wasm", &script.wasm().unwrap()).unwrap();
    let (code, accepted) = pilum.json(&["invoke", &location, "add", "--async"]).await;
    assert_eq!((code, &accepted["status"]), (0, &json!("PENDING")));
    assert!(accepted["estimated_completion_ms"].as_u64().unwrap() > 0, "{accepted}");
    let id = text(&accepted, "execution_id");
    assert_eq!(accepted["status_endpoint"], format!("/api/v1/execution/{id}/status"));
    let answer = pilum.until_status(id, "COMPLETED").await;
    assert_eq!(answer["result"], json!({ "sum": 3 }));
    assert_eq!(answer["logs"], json!(["stderr: adding", "stderr: added"]));
    assert_eq!((&answer["execution_id"], &answer["metrics"]["attempt"]), (&json!(id), &json!("1")));
    // Without --json, standard output has the result and standard error the rest.
    let ran = pilum.run(&["status", id, "--logs"]).await;
    assert_eq!((ran.stdout.as_str(), ran.code), ("{\"sum\":3}\n", Some(0)));
    assert!(ran.stderr.starts_with("COMPLETED after ") && ran.stderr.contains("stderr: adding"), "{ran:?}");
    let (_, without) = pilum.json(&["status", id]).await;
    assert_eq!(without.get("logs"), None);

    // The same id is the same execution.
    let again = ["invoke", &location, "add", "--async", "--execution-id", "mine"];
    for _ in 0..2 {
        assert_eq!(pilum.json(&again).await.1["execution_id"], "mine");
    }
    pilum.until_status("mine", "COMPLETED").await;
    let ran = pilum.run(&["invoke", "adds", "add", "--async"]).await;
    let id = ran.stdout.trim_end();
    check_ended(&ran, 0, "", &format!("follow it with: pilum watch {id}"));
    pilum.until_status(id, "COMPLETED").await;
    pilum.check(&["status", "nobodys"], 2, "", "pilum executions").await;
    pilum.check(&["status", "a b"], 2, "", "the execution id \"a b\"").await;
}

#[tokio::test]
async fn executions_are_cancelled_and_listed() {
    let host = Host::start().await.unwrap();
    let pilum = Aimed(&host);
    let location = format!("file://{}", path("hostile_sleep.wasm"));
    let (_, accepted) = pilum.json(&["invoke", &location, "run", "--async"]).await;
    let id = text(&accepted, "execution_id");
    pilum.until_status(id, "RUNNING").await;
    pilum.check(&["status", id], 0, "", "RUNNING").await;
    let (code, answer) = pilum.json(&["cancel", id]).await;
    assert_eq!((code, &answer["success"], &answer["final_status"]), (1, &json!(false), &json!("RUNNING")));
    let (code, answer) = pilum.json(&["cancel", id, "--force", "--reason", "enough"]).await;
    assert_eq!((code, &answer["success"], &answer["final_status"]), (0, &json!(true), &json!("CANCELLED")));
    pilum.check(&["cancel", id, "--force"], 1, "CANCELLED: ", "").await;
    pilum.check(&["cancel", "nobodys"], 2, "", "nobodys").await;
    let ran = pilum.run(&["status", id]).await;
    check_ended(&ran, 1, "", "CANCELLED: ");
    assert!(ran.stderr.contains("enough"), "{ran:?}");

    pilum
        .check(&["invoke", "hostile_sleep", "run", "--timeout-ms", "50"], 1, "", "TIMEOUT DEADLINE_EXCEEDED")
        .await;
    let fibonacci = format!("file://{}", path("calculate-fibonacci.wasm"));
    pilum.check(&["invoke", &fibonacci, "add", "1", "2"], 0, "3", "").await;
    let listed = async |arguments: &[&str]| {
        let (code, answer) = pilum.json(&[&["executions"], arguments].concat()).await;
        assert_eq!(code, 0);
        let executions = answer["executions"].as_array().unwrap().clone();
        let mut statuses: Vec<_> =
            executions.iter().map(|one| format!("{} {}", text(one, "mode"), text(one, "status"))).collect();
        statuses.sort();
        statuses
    };
    assert_eq!(listed(&[]).await, ["async CANCELLED", "sync COMPLETED", "sync TIMEOUT"]);
    assert_eq!(listed(&["--state", "cancelled"]).await, ["async CANCELLED"]);
    assert_eq!(listed(&["--state", "running"]).await, [""; 0]);
    assert_eq!(listed(&["hostile_sleep"]).await, ["async CANCELLED", "sync TIMEOUT"]);
    assert_eq!(listed(&["hostile_sleep", "--state", "timeout"]).await, ["sync TIMEOUT"]);
    assert_eq!(listed(&["--limit", "1"]).await.len(), 1);
    let ran = pilum.run(&["executions"]).await;
    check_ended(&ran, 0, "EXECUTION", "");
    assert_eq!(ran.stdout.lines().count(), 4, "{}", ran.stdout);
    pilum.check(&["executions", "no-such-task"], 2, "", "pilum tasks").await;
}

#[tokio::test]
async fn without_a_host_the_error_says_how_to_start_one() {
    // A port that was free a moment ago, so no host listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let location = format!("file://{}", path("calculate-fibonacci.wasm"));
    for arguments in [
        &["invoke", "some-task", "f"][..],
        &["invoke", &location, "add", "1", "2"],
        &["status", "some-execution"],
        &["cancel", "some-execution"],
        &["tasks"],
        &["executions"],
    ] {
        let ran = pilum(arguments.iter().chain(&["--server", &address])).await;
        check_ended(
            &ran,
            2,
            "",
            &format!("no host answers at http://{address}; start one with `pilum serve`"),
        );
        assert_eq!(ran.stdout, "");
    }
    // The address may also be given in the environment.
    let ran = Pilum::new(["tasks"]).unwrap().env("PILUM_SERVER", &address).run().await.unwrap();
    check_ended(&ran, 2, "", &address);
    check_ended(&pilum(["tasks", "--server", "a b"]).await, 2, "", "HOST:PORT");
}

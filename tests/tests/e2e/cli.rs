//! The command line: without a host, and against one.

mod bench;
mod project;
mod remote;

use pilum_tests::{CommandOutput, Pilum, guest_path, wasm};
use serde_json::{Value as Json, json};
use std::ffi::OsStr;
use std::path::Path;

async fn pilum<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> CommandOutput {
    Pilum::new(arguments).unwrap().run().await.unwrap()
}

#[track_caller]
fn check_ended(ran: &CommandOutput, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(ran.stdout.contains(stdout), "{stdout:?}: {ran:?}");
    assert!(ran.stderr.contains(stderr), "{stderr:?}: {ran:?}");
}

fn path(name: &str) -> String {
    guest_path(name).unwrap().to_str().unwrap().to_owned()
}

/// A folder for native code, so that the user's cache is not changed.
struct Here(tempfile::TempDir);

impl Here {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file into the folder; returns its path.
    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn run(&self, arguments: &[&str]) -> CommandOutput {
        let data = self.path().join("data");
        let data = data.to_str().unwrap();
        pilum(arguments.iter().chain(&["--data-dir", data])).await
    }

    async fn check(&self, arguments: &[&str], stdout: &str) {
        let ran = self.run(arguments).await;
        check_ended(&ran, 0, "", "");
        assert_eq!(ran.stdout.trim_end(), stdout, "{arguments:?}");
    }

    async fn check_bad(&self, arguments: &[&str], code: i32, says: &str) {
        let ran = self.run(arguments).await;
        check_ended(&ran, code, "", says);
        assert_eq!(ran.stdout, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn help_has_examples() {
    for (arguments, says) in [
        (&["--help"][..], &["pilum invoke ./function.wasm NAME key=value", "pilum serve"][..]),
        (&["serve", "--help"], &["pilum ready grpc=HOST:PORT", "PILUM_SYNC_EXECUTION__", "port 0"]),
        (
            &["invoke", "--help"],
            &["Examples:", "pilum invoke ./calc.wasm add a=2 b=3", "Exit codes", "--async"],
        ),
        (&["status", "--help"], &["--logs", "--json"]),
        (&["cancel", "--help"], &["--force"]),
        (&["tasks", "--help"], &["PREFIX"]),
        (&["executions", "--help"], &["--state", "completed"]),
        (&["inspect", "--help"], &["exports and imports"]),
    ] {
        let ran = pilum(arguments).await;
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        for says in says.iter().chain(&["Usage:"]) {
            assert!(ran.stdout.contains(says), "{arguments:?} {says:?}: {}", ran.stdout);
        }
        assert!(!ran.stdout.contains("compile-child"), "{arguments:?}: {}", ran.stdout);
    }
    check_ended(&pilum(["--version"]).await, 0, "pilum ", "");
    check_ended(&pilum([""; 0]).await, 2, "", "Usage:");
    check_ended(&pilum(["invok"]).await, 2, "", "similar subcommand exists: 'invoke'");
    check_ended(&pilum(["invoke", "./x.wasm"]).await, 2, "", "<FUNCTION>");
    check_ended(&pilum(["executions", "--state", "done"]).await, 2, "", "possible values");
    check_ended(&pilum(["invoke", "x", "f", "--timeout-ms", "soon"]).await, 2, "", "--timeout-ms");
}

#[tokio::test]
async fn a_file_runs_without_a_host() {
    let here = Here::new();
    let component = path("calculate-fibonacci.wasm");
    let core = path("calculate-fibonacci.core.wasm");
    let emails = path("validate-email.wasm");
    here.check(&["invoke", &component, "calculate-fibonacci", "n=50"], "12586269025").await;
    here.check(&["invoke", &component, "calculate-fibonacci", "93"], "12200160415121876738").await;
    here.check(&["invoke", &component, "add", "b=40", "a=2"], "42").await;
    here.check(&["invoke", &core, "add", "2", "40"], "42").await;
    here.check(&["invoke", &core, "add", "-2", "-40"], "-42").await;
    here.check(&["invoke", &core, "add", "p0=-2", "p1=40"], "38").await;
    here.check(&["invoke", &emails, "emails.validate-all", "addresses=[]"], "[]").await;
    let ran = here.run(&["invoke", &emails, "validate-email", "address=ada@example.org"]).await;
    let ada: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ada["domain"], "example.org");

    // A string is printed without quotes. Quotes make a string of a value that is JSON.
    let echo = path("values-echo.wasm");
    here.check(&["invoke", &echo, "echo-string", "hello world"], "hello world").await;
    here.check(&["invoke", &echo, "echo-string", "value=\"5\""], "5").await;
    here.check(&["invoke", &echo, "echo-string", "value=a=b"], "a=b").await;
    here.check(&["invoke", &echo, "echo-u64", "value=18446744073709551615"], "18446744073709551615").await;
    here.check(&["invoke", &echo, "echo-option-string", "value=null"], "null").await;
    here.check(&["invoke", &echo, "echo-tuple", "[1,\"x\",true]"], "[1,\"x\",true]").await;
    here.check(&["invoke", &echo, "env", "name=GREETING", "--env", "GREETING=hi there"], "hi there").await;
    here.check(&["invoke", &echo, "env", "name=PATH"], "null").await;
    let text = here.file("text", "ein Text\nüber zwei Zeilen".as_bytes());
    let text = format!("value=@{text}");
    here.check(&["invoke", &echo, "echo-string", &text], "ein Text\nüber zwei Zeilen").await;
}

#[tokio::test]
async fn a_command_runs_without_a_host() {
    let here = Here::new();
    let article = format!("text=@{}", path("../extract-keywords/article.txt"));
    for guest in ["extract-keywords.wasm", "extract-keywords.command.wasm"] {
        let ran = here.run(&["invoke", &path(guest), "extract", &article, "limit=3"]).await;
        check_ended(&ran, 0, "", "");
        let report: Json = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["keywords"].as_array().unwrap().len(), 3);
    }
    let command = path("extract-keywords.command.wasm");
    here.check_bad(&["invoke", &command, "extract", "limit=3"], 1, "GUEST_EXIT").await;
    here.check_bad(&["invoke", &command, "extract", "no name"], 2, "need names").await;
}

#[tokio::test]
async fn the_exit_code_is_1_for_a_failure_and_2_for_a_refusal() {
    let here = Here::new();
    let [component, emails, trap, spin] =
        ["calculate-fibonacci.wasm", "validate-email.wasm", "hostile_trap.wasm", "hostile_spin.wasm"]
            .map(path);
    let missing = here.path().join("missing.wasm");
    let missing = missing.to_str().unwrap();
    let (text, empty) = (here.file("text.wasm", b"hello"), here.file("empty.wasm", b""));
    let truncated = here.file("cut.wasm", &std::fs::read(&component).unwrap()[..1000]);
    for (arguments, code, says) in [
        (&[&emails, "validate-email", "address=nobody"][..], 1, "FAILED GUEST_ERROR: {"),
        (&[&component, "calculate-fibonacci", "94"], 1, "TRAP_UNREACHABLE"),
        (&[&trap, "run"], 1, "inner_step"),
        (&[&spin, "run", "--timeout-ms", "100"], 1, "TIMEOUT DEADLINE_EXCEEDED"),
        (&[&component, "calculate-fibonacci", "n=many"], 2, "n: expected u32, got the string \"many\""),
        (&[&component, "calculate-fibonacci"], 2, "n: is missing"),
        (&[&component, "add", "a=1", "b=2", "c=3"], 2, "c: is not a parameter"),
        (&[&component, "add", "a=1", "2"], 2, "give every parameter a name"),
        (&[&component, "add", "1", "2", "3"], 2, "3 were given, 2 are taken"),
        (&[&component, "subtract", "1", "2"], 2, "add: func(a: s32, b: s32) -> s32"),
        (&[&component, "add", "a=@/no/such/file", "b=2"], 2, "/no/such/file"),
        (&[&component, "add", "1", "2", "--async"], 2, "pilum serve"),
        (&[&component, "add", "1", "2", "--env", "x"], 2, "NAME=VALUE"),
        (&[&component, "a b"], 2, "the function name \"a b\""),
        (&[missing, "f"], 2, "missing.wasm"),
        (&["./no-such-file.wasm", "f"], 2, "no-such-file.wasm"),
        (&[&text, "f"], 2, "does not begin with a WebAssembly header"),
        (&[&empty, "f"], 2, "it is empty"),
        (&[&truncated, "f"], 2, "not a valid WebAssembly"),
    ] {
        here.check_bad(&[&["invoke"], arguments].concat(), code, says).await;
    }
}

#[tokio::test]
async fn the_json_output_is_complete() {
    let here = Here::new();
    let component = path("calculate-fibonacci.wasm");
    let ran = here.run(&["invoke", &component, "add", "2", "40", "--json"]).await;
    check_ended(&ran, 0, "", "");
    assert_eq!(ran.stderr, "");
    let answer: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&answer["status"], &answer["result"]), (&json!("COMPLETED"), &json!(42)));
    for field in ["execution_id", "task_id", "execution_time_ms", "memory_used_bytes"] {
        assert!(!answer[field].is_null(), "{field}: {answer}");
    }
    for metric in
        ["acquire_us", "guest_us", "queue_wait_us", "peak_memory_bytes", "attempt", "instance_calls"]
    {
        let figure = answer["metrics"][metric].as_str().unwrap_or_default();
        assert!(figure.parse::<u64>().is_ok(), "{metric}: {answer}");
    }

    let emails = path("validate-email.wasm");
    let ran = here.run(&["invoke", &emails, "validate-email", "address=nobody", "--json"]).await;
    check_ended(&ran, 1, "", "");
    let answer: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&answer["status"], &answer["error_code"]), (&json!("FAILED"), &json!("GUEST_ERROR")));
    assert!(answer["error_message"].as_str().unwrap().contains("missing-at"), "{answer}");
    assert_eq!(answer.get("result"), None);
}

#[tokio::test]
async fn inspect_shows_functions_and_imports() {
    let here = Here::new();
    let inspect = async |name: &str| {
        let text = here.run(&["inspect", &path(name)]).await;
        let ran = here.run(&["inspect", &path(name), "--json"]).await;
        check_ended(&text, 0, name_of_kind(name), "");
        check_ended(&ran, 0, "", "");
        (text.stdout, serde_json::from_str::<Json>(&ran.stdout).unwrap())
    };
    let (text, json) = inspect("calculate-fibonacci.core.wasm").await;
    assert!(text.contains("add: func(p0: s32, p1: s32) -> s32") && text.contains("imports: none"), "{text}");
    assert_eq!((&json["kind"], &json["imports"]), (&json!("core module"), &json!([])));
    assert_eq!(json["bytes"], std::fs::metadata(path("calculate-fibonacci.core.wasm")).unwrap().len());
    assert!(json["digest"].as_str().unwrap().starts_with("sha256:"), "{json}");

    let (text, json) = inspect("validate-email.wasm").await;
    assert!(text.contains("pilum:examples/emails@0.1.0#validate-email: func(address: string)"), "{text}");
    let function = &json["functions"][0];
    assert_eq!(function["parameters"], json!([{ "name": "address", "type": "string" }]));
    assert!(function["results"][0].as_str().unwrap().starts_with("result<record {"), "{function}");
    assert_eq!(json["runs_here"], true);

    for name in ["extract-keywords.command.wasm", "extract-keywords.wasm"] {
        let (text, json) = inspect(name).await;
        assert!(text.contains("JSON object on stdin"), "{text}");
        assert_eq!(json["functions"][0]["kind"], "command");
        assert!(json["imports"].as_array().unwrap().iter().all(|import| import["granted"] == true), "{json}");
    }

    let text = r#"(module
        (import "env" "launch" (func))
        (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
        (func (export "run")))"#;
    let ungranted = here.file("ungranted.wasm", &wasm(text).unwrap());
    check_ended(&here.run(&["inspect", &ungranted]).await, 1, "env::launch  NOT GRANTED", "");
    let ran = here.run(&["inspect", &ungranted, "--json"]).await;
    check_ended(&ran, 1, "", "");
    let answer: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["runs_here"], false);
    assert_eq!(answer["imports"][0], json!({ "name": "env::launch", "granted": false }));
    assert_eq!(answer["imports"][1]["granted"], true);
    here.check_bad(&["invoke", &ungranted, "run"], 2, "imports what is not granted: env::launch").await;

    here.check_bad(&["inspect", &here.file("text.wasm", b"hello")], 2, "WebAssembly header").await;
    here.check_bad(&["inspect", "/no/such/file.wasm"], 2, "/no/such/file.wasm").await;
}

fn name_of_kind(name: &str) -> &'static str {
    match name {
        "calculate-fibonacci.core.wasm" => "core module, ",
        "validate-email.wasm" => "component, ",
        _ => "command, ",
    }
}

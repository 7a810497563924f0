//! How a host starts, refuses to start, ends and starts again.

use futures::future::join_all;
use pilum_client::{Code, Mode};
use pilum_tests::{CommandOutput, Functions, Host, Pilum, Script, digest_of, guest, guest_path, until};
use pilum_types::{Output, State};
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

/// How long a host may take to end after its drain, on a busy machine.
const END_MAX: Duration = Duration::from_secs(20);

/// The arguments of a host on free ports, with this configuration file.
fn serve<'a>(config: &'a str, data: &'a str) -> Vec<&'a str> {
    let free = "127.0.0.1:0";
    vec!["serve", "--config", config, "--data-dir", data, "--grpc-listen", free, "--http-listen", free]
}

fn signal(pid: u32, name: &str) {
    let kill = std::process::Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(kill.success());
}

/// Starts `pilum serve ARGUMENTS` and ends it with SIGTERM when it is ready; returns its
/// standard output and standard error.
async fn served(arguments: &[&str], config: &str) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pilum.toml");
    std::fs::write(&file, config).unwrap();
    let mut child = Command::new(Host::binary().unwrap())
        .args(["serve", "--data-dir", "data", "--config"])
        .arg(&file)
        .args(arguments)
        .current_dir(directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let (mut written, mut log) = (String::new(), String::new());
    stdout.read_line(&mut written).await.unwrap();
    if let Some(pid) = child.id().filter(|_| !written.is_empty()) {
        signal(pid, "-TERM");
    }
    let mut stderr = child.stderr.take().unwrap();
    let (rest, logged) = tokio::join!(stdout.read_to_string(&mut written), stderr.read_to_string(&mut log));
    rest.and(logged).unwrap();
    let status = tokio::time::timeout(END_MAX, child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}: {log}");
    (written, log)
}

#[tokio::test]
async fn standard_output_has_one_line_and_standard_error_the_log() {
    let free = ["--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"];
    let (stdout, log) = served(&free, "").await;
    let line = stdout.strip_suffix('\n').unwrap();
    let (grpc, http) = line.strip_prefix("pilum ready grpc=").unwrap().split_once(" http=").unwrap();
    let [grpc, http]: [SocketAddr; 2] = [grpc, http].map(|address| address.parse().unwrap());
    assert!(grpc.ip().is_loopback() && http.ip().is_loopback(), "{line}");
    assert!(grpc.port() != 0 && http.port() != 0 && grpc.port() != http.port(), "{line}");
    for says in ["engine started", line, "shutting down", "stopped"] {
        assert!(log.contains(says), "{says}: {log}");
    }

    let (stdout, log) = served(&free, "[log]\nformat = \"json\"").await;
    assert_eq!(stdout.lines().count(), 1);
    let messages: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["fields"]["message"].to_string())
        .collect();
    assert_eq!(messages.last().unwrap(), "\"stopped\"");
    assert_eq!(served(&free, "[log]\nfilter = \"error\"").await.1, "");
}

#[tokio::test]
async fn sigterm_lets_a_running_call_end() {
    let host = Host::start().await.unwrap();
    let script = Script { stdout: "done".into(), ..Script::sleeps(Duration::from_millis(1500)) };
    let slow = Functions::of_bytes(&host, "slow", &script.wasm().unwrap()).await.unwrap();
    let client = slow.client().clone();
    let terminated = async {
        let running = async || Ok((client.health().await?.running == 1).then_some(()));
        until("the call to run", running).await.unwrap();
        host.terminate(END_MAX).await.unwrap()
    };
    let (called, ended_well) = tokio::join!(slow.invoke("run", json!({})), terminated);
    assert_eq!(called.unwrap().status.output, Some(Output::Raw(b"done".to_vec())));
    assert!(ended_well, "exit code 0");
    assert!(client.health().await.is_err(), "the host does not listen any more");
}

#[tokio::test]
async fn sigterm_stops_calls_that_do_not_end() {
    let drained = Duration::from_millis(500);
    let host = Host::builder().config("[shutdown]\ndrain_timeout_ms = 500").start().await.unwrap();
    let sleep = Functions::of_guest(&host, "hostile_sleep.wasm").await.unwrap();
    let spin = Functions::of_guest(&host, "hostile_spin.component.wasm").await.unwrap();
    for endless in [&sleep, &spin] {
        let call = endless.call("run", json!(null)).unwrap().mode(Mode::Async);
        assert_eq!(endless.client().invoke(call).await.unwrap().status.state, State::Pending);
    }
    let client = sleep.client().clone();
    let terminated = async {
        let running = async || Ok((client.health().await?.running == 3).then_some(()));
        until("three calls to run", running).await.unwrap();
        let began = Instant::now();
        (host.terminate(END_MAX).await.unwrap(), began.elapsed())
    };
    let (called, (ended_well, took)) = tokio::join!(spin.invoke("run", json!(null)), terminated);
    assert!(ended_well, "exit code 0");
    assert!(took >= drained && took < drained + Duration::from_secs(7), "{took:?}");
    // The synchronous caller got an answer.
    let status = called.unwrap().status;
    assert_eq!((status.state, status.error_code.as_deref()), (State::Cancelled, Some("CANCELLED")));
}

#[tokio::test]
async fn an_address_in_use_is_named_in_the_error() {
    let host = Host::start().await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    for (flag, address, key) in
        [("--grpc-listen", &host.grpc, "listen.grpc"), ("--http-listen", &host.http, "listen.http")]
    {
        let other = if flag == "--grpc-listen" { "--http-listen" } else { "--grpc-listen" };
        let arguments = ["serve", "--data-dir", data, flag, address, other, "127.0.0.1:0"];
        let ran = Pilum::new(arguments).unwrap().run().await.unwrap();
        assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
        assert_eq!(ran.stdout, "");
        let says = format!("{key}: cannot listen on {address} (port 0 takes a free one)");
        assert!(ran.stderr.contains(&says), "{}", ran.stderr);
    }
}

#[track_caller]
fn check_refused(ran: &CommandOutput, says: &[&str]) {
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
    assert_eq!(ran.stdout, "", "{ran:?}");
    for says in says {
        assert!(ran.stderr.contains(says), "{says:?}: {}", ran.stderr);
    }
    assert_eq!(ran.stderr.trim_end().lines().count(), 1, "the error is one line: {}", ran.stderr);
}

/// Configurations, each with the texts that its error message must contain.
const BAD_FILES: &[(&str, &[&str])] = &[
    (
        "[sync_execution]\nmax_concurent_requests = 5",
        &["line 2", "did you mean sync_execution.max_concurrent_requests?"],
    ),
    ("[async_execution]\n\nmax_queu_size = 5", &["line 3", "did you mean async_execution.max_queue_size?"]),
    ("[asynch_execution]", &["line 1", "did you mean async_execution?"]),
    ("[limits]\nmemory_max_byte = 5", &["line 2", "did you mean limits.memory_max_bytes?"]),
    ("[listen]\nport = 80", &["line 2", "there is no key listen.port"]),
    ("[artifact]\nroots = []", &["line 1", "did you mean artifacts"]),
    ("fuel = 5", &["line 1", "did you mean limits.fuel?"]),
    ("[limits]\nfuel = 5\n[log]\nfuel = 5", &["there is no key log.fuel"]),
    ("[limits]\nfuel = \"much\"", &["line 2", "\"much\""]),
    ("[limits]\nfuel = -1", &["line 2", "-1"]),
    ("[limits]\nfuel = 1.5", &["line 2", "1.5"]),
    ("[limits]\nfuel = 99999999999999999999", &["line 2"]),
    ("[limits]\nresult_max_bytes = \"8 MiB\"", &["line 2", "8 MiB"]),
    ("[artifacts]\nroots = \"/tmp\"", &["line 2", "sequence"]),
    ("[artifacts]\nroots = [5]", &["line 2"]),
    ("[artifacts]\nallow_private_addresses = \"yes\"", &["line 2", "yes"]),
    ("[sync_execution]\nenable_retries = 1", &["line 2", "boolean"]),
    ("[listen]\ngrpc = 50052", &["line 2", "string"]),
    ("limits = 5", &["line 1"]),
    ("[[limits]]\nfuel = 5", &["line 1"]),
    ("[limits", &["line 1"]),
    ("[limits]\nfuel = ", &["line 2"]),
    ("[limits]\nfuel = 1\nfuel = 2", &["line 3", "duplicate key"]),
    ("[limits]\n\u{0}", &["line 2"]),
    (
        "[sync_execution]\nmax_concurrent_requests = 0",
        &["sync_execution.max_concurrent_requests is 0", "from 1 to 10000"],
    ),
    ("[sync_execution]\ndefault_timeout_ms = 300001", &["sync_execution.default_timeout_ms is 300001"]),
    ("[async_execution]\nmax_queue_size = 0", &["async_execution.max_queue_size is 0"]),
    ("[async_execution]\nmax_retries = 101", &["async_execution.max_retries is 101", "from 0 to 100"]),
    ("[limits]\nmemory_max_bytes = 1", &["limits.memory_max_bytes is 1"]),
    ("[limits]\nmemory_max_bytes = 4294967297", &["limits.memory_max_bytes is 4294967297"]),
    ("[engine]\ninstance_slots = 20001", &["engine.instance_slots is 20001"]),
    ("[shutdown]\ndrain_timeout_ms = 86400001", &["shutdown.drain_timeout_ms is 86400001"]),
    ("[log]\nformat = \"xml\"", &["log.format is \"xml\"", "text or json"]),
    ("[log]\nfilter = \"pilum=loud\"", &["log.filter"]),
];

#[tokio::test]
async fn bad_configurations_are_refused_with_key_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    let check = async |i: usize, text: &str, says: &[&str]| {
        let file = directory.path().join(format!("{i}.toml"));
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let ran = Pilum::new(serve(file, data)).unwrap().run().await.unwrap();
        check_refused(&ran, says);
        if says[0].starts_with("line") {
            assert!(ran.stderr.contains(file), "the error names the file: {}", ran.stderr);
        }
    };
    join_all(BAD_FILES.iter().enumerate().map(|(i, (text, says))| check(i, text, says))).await;

    let missing = directory.path().join("missing.toml");
    for unreadable in [missing.to_str().unwrap(), directory.path().to_str().unwrap()] {
        let ran = Pilum::new(serve(unreadable, data)).unwrap().run().await.unwrap();
        check_refused(&ran, &[unreadable, "cannot be read"]);
    }
    let latin = directory.path().join("latin.toml");
    std::fs::write(&latin, b"# caf\xe9\n").unwrap();
    let ran = Pilum::new(serve(latin.to_str().unwrap(), data)).unwrap().run().await.unwrap();
    check_refused(&ran, &["latin.toml", "cannot be read"]);
    // A data directory that is a file.
    let empty = directory.path().join("empty.toml");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.to_str().unwrap();
    let ran = Pilum::new(serve(empty, empty)).unwrap().run().await.unwrap();
    assert!(ran.code.is_some_and(|code| code != 0) && ran.stdout.is_empty(), "{ran:?}");
    assert!(ran.stderr.contains("empty.toml"), "{}", ran.stderr);
    assert!(!Path::new(data).exists(), "no data directory is made");
}

#[tokio::test]
async fn bad_variables_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = (directory.path().join("pilum.toml"), directory.path().join("data"));
    std::fs::write(&file, "[limits]\nfuel = 5\n").unwrap();
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    for (name, value, says) in [
        ("PILUM_LIMITS__FUELL", "1", &["did you mean limits.fuel?"][..]),
        ("PILUM_LIMITS_FUEL", "1", &["there is no key limits_fuel"]),
        ("PILUM_LIMIT__FUEL", "1", &["did you mean limits.fuel?"]),
        ("PILUM_LIMITS__FUEL", "much", &["limits.fuel must be a whole number, not \"much\""]),
        ("PILUM_LIMITS__FUEL", "", &["limits.fuel must be a whole number"]),
        ("PILUM_LIMITS__FUEL", "-1", &["limits.fuel"]),
        (
            "PILUM_ASYNC_EXECUTION__ENABLE_RETRIES",
            "yes",
            &["async_execution.enable_retries must be true or false"],
        ),
        (
            "PILUM_SYNC_EXECUTION__MAX_CONCURRENT_REQUESTS",
            "0",
            &["sync_execution.max_concurrent_requests is 0"],
        ),
        ("PILUM_LOG__FORMAT", "xml", &["log.format is \"xml\""]),
        ("PILUM_LISTEN", "127.0.0.1:0", &["there is no key listen"]),
        ("PILUM_", "1", &["PILUM_"]),
    ] {
        let ran = Pilum::new(serve(file, data)).unwrap().env(name, value).run().await.unwrap();
        check_refused(&ran, says);
        if !says[0].contains(" is ") {
            assert!(ran.stderr.contains(name), "the error names the variable: {}", ran.stderr);
        }
    }
}

#[tokio::test]
async fn a_public_address_must_be_allowed_explicitly() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let data = data.to_str().unwrap();
    for (flag, address, key) in [
        ("--grpc-listen", "0.0.0.0:0", "listen.grpc"),
        ("--http-listen", "0.0.0.0:0", "listen.http"),
        ("--grpc-listen", "[::]:0", "listen.grpc"),
        ("--grpc-listen", "192.0.2.1:0", "listen.grpc"),
    ] {
        let ran = Pilum::new(["serve", "--data-dir", data, flag, address]).unwrap().run().await.unwrap();
        check_refused(&ran, &[key, address, "allow_unauthenticated_public = true"]);
    }
    for address in ["nowhere", "127.0.0.1", "127.0.0.1:99999", ""] {
        let arguments = ["serve", "--data-dir", data, "--grpc-listen", address];
        check_refused(&Pilum::new(arguments).unwrap().run().await.unwrap(), &["listen.grpc", "HOST:PORT"]);
    }
    let everybody = ["--grpc-listen", "0.0.0.0:0", "--http-listen", "127.0.0.1:0"];
    let (stdout, _) = served(&everybody, "[listen]\nallow_unauthenticated_public = true").await;
    assert!(stdout.starts_with("pilum ready grpc=0.0.0.0:"), "{stdout}");
}

#[tokio::test]
async fn a_killed_host_starts_again_over_its_data() {
    let data = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let host = Host::builder().data_dir(data.path()).start().await.unwrap();
        let fibonacci = Functions::of_guest(&host, "calculate-fibonacci.wasm").await.unwrap();
        let endless = Functions::of_guest(&host, "hostile_spin.wasm").await.unwrap();
        let call = endless.call("run", json!(null)).unwrap().mode(Mode::Async);
        endless.client().invoke(call).await.unwrap();
        assert_eq!(fibonacci.result("add", json!([round, 1])).await.unwrap(), round + 1);
        signal(host.pid().unwrap(), "-KILL");
        let gone = async || Ok(fibonacci.client().health().await.err());
        until("the host to be gone", gone).await.unwrap();
    }
}

#[tokio::test]
async fn a_restart_needs_neither_the_artifact_nor_a_compiler() {
    let data = tempfile::tempdir().unwrap();
    let wasm = guest("calculate-fibonacci.wasm").unwrap();
    let first = Host::builder().data_dir(data.path()).start().await.unwrap();
    let fibonacci = Functions::of_bytes(&first, "fibonacci", &wasm).await.unwrap();
    assert_eq!(fibonacci.result("add", json!([1, 1])).await.unwrap(), 2);
    assert!(first.terminate(END_MAX).await.unwrap());

    // The first host's folder and the file in it are deleted; now the copy is deleted too.
    std::fs::remove_dir_all(data.path().join("blobs")).unwrap();
    let location = format!("file://{}", guest_path(".").unwrap().join("gone.wasm").display());
    let second = Host::builder().data_dir(data.path()).start().await.unwrap();
    let gone = Functions::at(&second, "fibonacci", location.clone(), &digest_of(&wasm)).await.unwrap();
    assert_eq!(gone.result("add", json!([2, 2])).await.unwrap(), 4);
    assert!(second.terminate(END_MAX).await.unwrap());

    // Without the native code the host has nothing to run.
    std::fs::remove_dir_all(data.path().join("native")).unwrap();
    let third = Host::builder().data_dir(data.path()).start().await.unwrap();
    let gone = Functions::at(&third, "fibonacci", location, &digest_of(&wasm)).await.unwrap();
    assert_eq!(gone.refused("add", json!([3, 3])).await.unwrap().code, Code::Unavailable);
}

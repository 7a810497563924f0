//! The commands of a project: `pilum new`, `build`, `deploy`, `dev`, `rollback`,
//! `describe`, `delete`.

use super::{check_ended, pilum};
use pilum_tests::{CommandOutput, Host, until};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// How long `pilum dev` may take to end its host, on a busy machine.
const END_MAX: Duration = Duration::from_secs(60);

/// A project whose build copies a file that this process has made from WAT.
struct Project {
    directory: TempDir,
}

impl Project {
    fn new(answer: i32) -> Self {
        let project = Self { directory: tempfile::tempdir().unwrap() };
        let manifest = "name = \"answer\"\nversion = \"1\"\nartifact = \"answer.wasm\"\n\
            [build]\ncommand = \"cp answer.bin answer.wasm\"\n";
        std::fs::write(project.path().join("pilum.toml"), manifest).unwrap();
        project.write(answer);
        project
    }

    fn write(&self, answer: i32) {
        let wat = format!(r#"(module (func (export "answer") (result i32) (i32.const {answer})))"#);
        std::fs::write(self.path().join("answer.bin"), wat::parse_str(wat).unwrap()).unwrap();
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn text(&self) -> &str {
        self.path().to_str().unwrap()
    }
}

async fn run(host: &Host, arguments: &[&str]) -> CommandOutput {
    pilum(arguments.iter().chain(&["--server", &host.grpc])).await
}

async fn answer(host: &Host) -> String {
    run(host, &["invoke", "answer", "answer"]).await.stdout
}

#[tokio::test]
async fn a_template_is_copied_into_an_empty_folder_only() {
    let listed = pilum(["new"]).await;
    check_ended(&listed, 0, "rust-component", "pilum new --template");
    let directory = tempfile::tempdir().unwrap();
    let folder: PathBuf = directory.path().join("mine");
    let folder = folder.to_str().unwrap();
    check_ended(&pilum(["new", "--template", "go", folder]).await, 0, "is a go project", "pilum build");
    check_ended(&pilum(["new", "--template", "go", folder]).await, 2, "", "is not empty");
    check_ended(&pilum(["new", "--template", "cobol", folder]).await, 2, "", "known are rust-component");
    check_ended(&pilum(["new", "--template", "go"]).await, 2, "", "which folder?");
    let manifest = std::fs::read_to_string(Path::new(folder).join("pilum.toml")).unwrap();
    assert!(manifest.starts_with("name = \"mine\"\n"), "{manifest}");
}

#[tokio::test]
async fn a_project_is_built_deployed_and_rolled_back() {
    let host = Host::start().await.unwrap();
    let project = Project::new(1);
    check_ended(&run(&host, &["deploy", project.text()]).await, 2, "", "build it with `pilum build`");
    check_ended(&pilum(["build", project.text()]).await, 0, "answer.wasm: ", "$ cp answer.bin answer.wasm");
    check_ended(&run(&host, &["deploy", project.text()]).await, 0, "answer: deployed revision 1", "");
    assert_eq!(answer(&host).await, "1\n");
    check_ended(&run(&host, &["deploy", project.text()]).await, 0, "revision 1 was active already", "");
    project.write(2);
    pilum(["build", project.text()]).await;
    let ran = run(&host, &["deploy", project.text(), "--json"]).await;
    let deployed: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&deployed["changed"], &deployed["revision"]["number"]), (&json!(true), &json!(2)));
    assert_eq!(ran.stderr, "", "nothing but JSON");
    assert_eq!(answer(&host).await, "2\n");
    check_ended(&run(&host, &["rollback", "answer"]).await, 0, "answer: back at revision 1", "");
    assert_eq!(answer(&host).await, "1\n");
    check_ended(&run(&host, &["rollback", "answer", "--revision", "7"]).await, 2, "", "no revision 7");
    let described = run(&host, &["describe", "answer"]).await;
    check_ended(&described, 0, "answer: func() -> s32", "");
    check_ended(&described, 0, "*  1", "");
    let ran = run(&host, &["describe", "answer", "--json"]).await;
    let described: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(described["functions"][0]["schema"]["result"]["type"], "integer");
    assert_eq!(described["revisions"].as_array().map(Vec::len), Some(2));
    check_ended(&run(&host, &["describe", "nobody"]).await, 2, "", "no task has the id");
}

#[tokio::test]
async fn a_request_that_is_too_long_is_not_sent() {
    let host = Host::start().await.unwrap();
    let project = Project::new(1);
    pilum(["build", project.text()]).await;
    run(&host, &["deploy", project.text()]).await;
    let large = project.path().join("large.txt");
    std::fs::write(&large, "x".repeat(9_000_000)).unwrap();
    let parameter = format!("text=@{}", large.display());
    let ran = run(&host, &["invoke", "answer", "answer", &parameter]).await;
    check_ended(&ran, 2, "", "at most 8388608 can be sent");
}

#[tokio::test]
async fn tasks_are_deleted() {
    let host = Host::start().await.unwrap();
    let project = Project::new(1);
    pilum(["build", project.text()]).await;
    run(&host, &["deploy", project.text()]).await;
    check_ended(&run(&host, &["delete", "answer"]).await, 0, "answer: ", "");
    check_ended(&run(&host, &["delete", "answer"]).await, 2, "", "no task has the id");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_a_discarded_output_is_not() {
    let host = Host::start().await.unwrap();
    let project = Project::new(1);
    pilum(["build", project.text()]).await;
    run(&host, &["deploy", project.text()]).await;
    for (sink, code) in [("/dev/full", 2), ("/dev/null", 0)] {
        let sink = std::fs::OpenOptions::new().write(true).open(sink).unwrap();
        let status = Command::new(Host::binary().unwrap())
            .args(["invoke", "answer", "answer", "--server", &host.grpc])
            .stdin(Stdio::null())
            .stdout(sink)
            .stderr(Stdio::null())
            .status();
        assert_eq!(status.await.unwrap().code(), Some(code));
    }
}

#[tokio::test]
async fn an_error_in_a_manifest_names_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().to_str().unwrap();
    check_ended(&pilum(["build", text]).await, 2, "", "make a project with `pilum new`");
    let write = |manifest: &str| std::fs::write(directory.path().join("pilum.toml"), manifest).unwrap();
    write("name = \"a\"\nartifact = \"a.wasm\"\n[limits]\ntimeout_s = 5\n");
    let ran = pilum(["build", text]).await;
    check_ended(&ran, 2, "", "line 4");
    check_ended(&ran, 2, "", "timeout_ms");
    write("name = \"a\"\nartifact = \"a.wasm\"\n[build]\ncommand = \"exit 3\"\n");
    check_ended(&pilum(["build", text]).await, 2, "", "the build failed (exit status: 3): exit 3");
    write(
        "name = \"a\"\nartifact = \"a.wasm\"\n[build]\ncommand = \"true\"\nneeds = { nonesuch = \"nowhere\" }\n",
    );
    check_ended(
        &pilum(["build", text]).await,
        2,
        "",
        "the build needs nonesuch, which is not installed: nowhere",
    );
}

#[tokio::test]
async fn dev_deploys_changes_and_shows_calls() {
    let host = Host::start().await.unwrap();
    let project = Project::new(1);
    let mut dev = Command::new(Host::binary().unwrap())
        .args(["dev", project.text(), "--server", &host.grpc])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(dev.stdout.take().unwrap()).lines();
    let mut until_line = async |wanted: &str| loop {
        let line = lines
            .next_line()
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("`pilum dev` ended without {wanted:?}"));
        if line.contains(wanted) {
            return;
        }
    };
    until_line("revision 1 is active").await;
    until_line("answer: func() -> s32").await;
    assert_eq!(answer(&host).await, "1\n");
    until_line("COMPLETED").await;
    project.write(2);
    until_line("revision 2 is active").await;
    assert_eq!(answer(&host).await, "2\n");
}

#[tokio::test]
async fn dev_starts_a_host_if_none_runs_and_ends_it() {
    let project = Project::new(5);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut dev = Command::new(Host::binary().unwrap())
        .args(["dev", project.text(), "--server", &free, "--http-listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let answered = until("an answer", async || {
        let ran = pilum(["invoke", "answer", "answer", "--server", &free]).await;
        Ok((ran.code == Some(0)).then_some(ran.stdout))
    });
    assert_eq!(answered.await.unwrap(), "5\n");
    // Killing `pilum dev` would leave its host running, so it is asked to end.
    let pid = dev.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    tokio::time::timeout(END_MAX, dev.wait()).await.unwrap().unwrap();
    assert!(std::net::TcpStream::connect(&free).is_err(), "the host still runs");
}

#[tokio::test]
async fn a_stream_is_printed_while_it_arrives() {
    let host = Host::start().await.unwrap();
    let location = format!("file://{}", super::path("stream-cases.command.wasm"));
    let mut stream = Command::new(Host::binary().unwrap())
        .args(["invoke", &location, "lines", "count=3", "pause_ms=300", "--stream", "--server", &host.grpc])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(stream.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("line 0"));
    // The command still runs, so the first line did not wait for the last.
    assert!(stream.try_wait().unwrap().is_none());
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("line 1"));
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("line 2"));
    assert_eq!(stream.wait().await.unwrap().code(), Some(0));
    let failed = pilum(["invoke", &location, "fail", "--stream", "--server", &host.grpc]).await;
    check_ended(&failed, 1, "before the end\n", "GUEST_EXIT");
}

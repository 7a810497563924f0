//! Each language's template is copied, built, deployed and called, as users do it.
//!
//! A language whose tools are not on this machine is reported as ignored. No attribute
//! can do that, because it is known only when the tests run; so this file has its own
//! harness.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Failed, Trial};
use pilum_tests::{CommandOutput, Host, Pilum, get, guest_path};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How a template's functions are called.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// A component or a command with all three functions.
    Functions,
    /// A core module with one numeric function.
    Numeric,
    /// An HTTP handler with routes.
    Http,
}

const TEMPLATES: [(&str, Form); 9] = [
    ("rust-component", Form::Functions),
    ("rust-command", Form::Functions),
    ("rust-core", Form::Numeric),
    ("rust-http", Form::Http),
    ("c", Form::Functions),
    ("javascript", Form::Functions),
    ("python", Form::Functions),
    ("go", Form::Functions),
    ("assemblyscript", Form::Functions),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let skipped = skipped().unwrap_or_else(|error| panic!("{error:#}"));
    let trials = TEMPLATES.iter().map(|(name, form)| {
        let is_missing = skipped.lines().any(|line| line.starts_with(&format!("{name}:")));
        let test = move || run(name, *form).map_err(|error| Failed::from(format!("{error:#}")));
        Trial::test((*name).to_owned(), test).with_ignored_flag(is_missing)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// The languages that `make guests` could not build, a line each.
fn skipped() -> Result<String> {
    Ok(std::fs::read_to_string(guest_path("languages/skipped.txt")?)?)
}

fn run(template: &str, form: Form) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let directory = tempfile::tempdir()?;
        let project = directory.path().join("my-function");
        let host = Host::start().await?;
        let project_text = project.to_str().context("the path is not UTF-8")?;
        expect(&pilum(["new", "--template", template, project_text]).await?, "is a")?;
        expect(&pilum(["build", project_text]).await?, "bytes")?;
        let deployed = pilum(["deploy", project_text, "--server", &host.grpc]).await?;
        expect(&deployed, "my-function: deployed revision 1")?;
        let described = pilum(["describe", "my-function", "--server", &host.grpc]).await?;
        ensure!(described.code == Some(0), "{described:?}");
        match form {
            Form::Functions => functions(&host).await,
            Form::Numeric => numeric(&host).await,
            Form::Http => routes(&host).await,
        }
    })
}

async fn functions(host: &Host) -> Result<()> {
    let summary = json!({"count": 4, "mean": 2.5, "min": 1.0, "max": 4.0});
    for (arguments, expected) in [
        (["calculate-fibonacci", "n=93"], json!(12_200_160_415_121_876_738_u64)),
        (["greet", "name=Ada"], json!("Hello, Ada!")),
        (["greet", "name=\"Grüße, 世界\""], json!("Hello, Grüße, 世界!")),
        (["summarize", "values=[1,2,3,4]"], summary),
    ] {
        let (code, answer) = invoked(host, &arguments).await?;
        ensure!(code == 0 && same(&answer["result"], &expected), "{arguments:?}: {answer}");
    }
    for arguments in [["calculate-fibonacci", "n=94"], ["summarize", "values=[]"]] {
        let (code, answer) = invoked(host, &arguments).await?;
        let is_guest_error = answer["error_code"] == "GUEST_ERROR" || answer["error_code"] == "GUEST_EXIT";
        ensure!(code == 1 && is_guest_error, "{arguments:?}: {answer}");
    }
    Ok(())
}

async fn numeric(host: &Host) -> Result<()> {
    let (code, answer) = invoked(host, &["calculate_fibonacci", "50"]).await?;
    ensure!(code == 0 && answer["result"] == json!(12_586_269_025_u64), "{answer}");
    let (code, answer) = invoked(host, &["calculate_fibonacci", "94"]).await?;
    ensure!(code == 1 && answer["error_code"] == "TRAP_UNREACHABLE", "{answer}");
    Ok(())
}

async fn routes(host: &Host) -> Result<()> {
    for (path, expected) in [
        ("calculate-fibonacci?n=93", (200, "12200160415121876738")),
        ("greet?name=Ada%20L", (200, "\"Hello, Ada L!\"")),
        ("calculate-fibonacci", (400, "")),
        ("nowhere", (404, "")),
    ] {
        let (status, body) = get(&host.http, &format!("/fn/my-function/{path}")).await?;
        ensure!(status == expected.0 && body.contains(expected.1), "{path}: {status} {body}");
    }
    let request = ["handle", "method=POST", "path=/summarize", "body=[1,2,3,4]"];
    let (code, answer) = invoked(host, &request).await?;
    ensure!(code == 0 && answer["result"]["mean"] == json!(2.5), "{answer}");
    Ok(())
}

/// The exit code and the answer of `pilum invoke`.
async fn invoked(host: &Host, arguments: &[&str]) -> Result<(i32, Json)> {
    let (first, last) = (["invoke", "my-function"], ["--server", &host.grpc, "--json"]);
    let ran = pilum(first.iter().chain(arguments).chain(&last)).await?;
    let answer = serde_json::from_str(&ran.stdout).with_context(|| format!("{ran:?}"))?;
    Ok((ran.code.context("`pilum invoke` was killed")?, answer))
}

/// Runs `pilum` with the tools that `make guests` has installed.
async fn pilum<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<CommandOutput> {
    let tools = tools();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Pilum::new(arguments)?
        .env("PATH", &format!("{}:{path}", tools.join("bin").display()))
        .env("GOCACHE", tools.join("go-cache").to_str().unwrap())
        .env("GOTOOLCHAIN", "local")
        .env("npm_config_prefer_offline", "true");
    // If Rust's own toolchain lacks the target, the guests' toolchain builds it.
    if std::fs::read_to_string(tools.join("../.guest-toolchain")).is_ok_and(|name| name.trim() == "debian") {
        for (name, value) in debian() {
            command = command.env(name, &value);
        }
    }
    command.run().await
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-examples/target/tools")
}

/// The variables that `languages.sh` sets for Debian's Rust.
fn debian() -> Vec<(&'static str, String)> {
    let linkers = std::fs::read_dir("/usr/bin").unwrap().flatten().map(|entry| entry.path());
    let linker = linkers.filter(|path| path.to_string_lossy().contains("/wasm-ld")).max();
    vec![
        ("RUSTC", "/usr/bin/rustc".to_owned()),
        ("RUSTC_BOOTSTRAP", "1".to_owned()),
        ("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort".to_owned()),
        (
            "CARGO_TARGET_WASM32_WASIP1_LINKER",
            linker.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
        ),
    ]
}

fn expect(ran: &CommandOutput, text: &str) -> Result<()> {
    ensure!(ran.code == Some(0) && ran.stdout.contains(text), "expected {text:?}: {ran:?}");
    Ok(())
}

/// Whether two values are equal; 1 equals 1.0, and a large integer may be text.
fn same(found: &Json, expected: &Json) -> bool {
    match (found, expected) {
        (Json::Number(found), Json::Number(expected)) => {
            found == expected || found.as_f64() == expected.as_f64()
        }
        (Json::String(text), Json::Number(expected)) => *text == expected.to_string(),
        (Json::Object(found), Json::Object(expected)) => {
            found.len() == expected.len()
                && expected.iter().all(|(name, value)| found.get(name).is_some_and(|f| same(f, value)))
        }
        _ => found == expected,
    }
}

//! Counts the instructions of a synchronous call in process. This figure does not
//! depend on how busy the machine is. valgrind counts them, in a new process of this
//! binary.

use crate::guests::{COMPONENT, CORE, source};
use crate::in_process::{ADD, Call, FIBONACCI, InProcess};
use anyhow::{Context, Result, bail, ensure};
use pilum_types::TaskId;
use std::process::Command;
use tokio::runtime::{Builder, Runtime};

/// Calls that are not counted; after them caches and maps have their final size.
const WARM_UP_CALLS: u32 = 300;
/// Calls that are counted.
const CALLS: u32 = 1_000;

/// Prints a line for each kind of call: its name and its instructions per call.
#[expect(clippy::print_stdout, reason = "this program's output")]
pub(crate) fn print() -> Result<()> {
    for kind in ["core", "component"] {
        println!("{kind} {}", count(kind)?);
    }
    Ok(())
}

fn count(kind: &str) -> Result<u64> {
    let out = tempfile::NamedTempFile::new()?;
    let counted = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted_calls*"])
        .arg(format!("--callgrind-out-file={}", out.path().display()))
        .arg(std::env::current_exe()?)
        .args(["counted", kind])
        .output()
        .context("valgrind does not start; it counts the instructions (apt-get install valgrind)")?;
    let text = String::from_utf8_lossy(&counted.stderr);
    ensure!(counted.status.success(), "{text}");
    let total = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<u64>().ok());
    Ok(total.with_context(|| format!("valgrind said {text}"))? / u64::from(CALLS))
}

/// Makes calls of one kind; valgrind runs this. [`counted_calls`] makes those that count.
pub(crate) fn run(kind: &str) -> Result<()> {
    let (file, call) = match kind {
        "core" => (CORE, ADD),
        "component" => (COMPONENT, FIBONACCI),
        _ => bail!("the kinds are core and component"),
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let data = tempfile::tempdir()?;
    let (host, task) = runtime.block_on(async {
        let host = InProcess::start_small(data.path())?;
        let task = host.register(kind, source(file)?, call).await?;
        anyhow::Ok((host, task))
    })?;
    calls(&runtime, &host, &task, call, WARM_UP_CALLS)?;
    counted_calls(&runtime, &host, &task, call)
}

/// valgrind counts what this function does; it is chosen by its name.
#[inline(never)]
fn counted_calls(runtime: &Runtime, host: &InProcess, task: &TaskId, call: Call) -> Result<()> {
    calls(runtime, host, task, call, CALLS)
}

fn calls(runtime: &Runtime, host: &InProcess, task: &TaskId, call: Call, calls: u32) -> Result<()> {
    runtime.block_on(async {
        for _ in 0..calls {
            host.call(task, call).await?;
        }
        Ok(())
    })
}

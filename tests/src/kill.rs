//! The kill test: a host under load is killed at a random moment and started again
//! over its data, many times. Then the host's executions are compared with the answers
//! that the client got.

use crate::{Functions, Host, Script, idle};
use anyhow::{Context, Result, ensure};
use pilum_client::{Client, Code, Mode, Report};
use pilum_types::{ExecutionId, Output, State, Value};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Callers at once: enough that the store commits several changes together.
const CALLERS: usize = 16;
/// The longest time before a host is killed.
const LOAD_TIME_MAX: Duration = Duration::from_millis(600);
/// How long a host may take to end after SIGTERM: the default of the drain and a second.
const END_MAX: Duration = Duration::from_secs(26);
/// Fail points, at which the host kills itself, and the highest number of the visit at
/// which it does so.
const FAIL_POINTS: [(&str, u64); 4] =
    [("store.commit", 40), ("store.written", 40), ("run.before", 200), ("run.after", 200)];

/// What the client knows from the host's answers.
#[derive(Debug, Default)]
struct ClientRecord {
    /// Submissions that were accepted, with the result that `add` must return.
    accepted: BTreeMap<String, Option<f64>>,
    /// Submissions that were refused: no execution of them may exist.
    refused: Vec<String>,
    /// Submissions without an answer: an execution of them may or may not exist.
    unanswered: Vec<String>,
    /// Terminal states that were read. They must not change.
    seen: HashMap<String, State>,
}

/// The result of a kill test.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct KillReport {
    /// How many hosts were started and ended.
    pub cycles: u64,
    /// Submissions that were accepted.
    pub accepted: usize,
    /// Submissions without an answer whose execution exists.
    pub unanswered: usize,
    /// Accepted executions that do not exist or have not ended. Must be empty.
    pub lost: Vec<String>,
    /// Executions with a wrong result. Must be empty.
    pub wrong: Vec<String>,
    /// Executions whose terminal state changed after it had been read. Must be empty.
    pub changed: Vec<String>,
    /// Executions that ran more often than they have attempts. Must be empty.
    pub unexplained: Vec<String>,
    /// Refused submissions whose execution exists. Must be empty.
    pub ghosts: Vec<String>,
    /// Executions that ran more than once.
    pub run_again: usize,
    /// Executions that ended FAILED with WORKER_LOST, because three hosts ended while they
    /// ran.
    pub given_up: usize,
}

impl KillReport {
    /// Whether every promise was kept.
    pub fn is_good(&self) -> bool {
        [&self.lost, &self.wrong, &self.changed, &self.unexplained, &self.ghosts]
            .iter()
            .all(|list| list.is_empty())
    }
}

/// The settings of one host in the test.
#[derive(Debug, Clone, Default)]
pub struct HostRun {
    /// How long it is under load.
    pub load_time: Duration,
    /// Variables in its environment that say where or how it fails.
    pub environment: Vec<(String, String)>,
    /// Whether it is ended with SIGTERM instead of being killed.
    pub is_terminated: bool,
}

/// Kills `cycles` hosts, one after the other, over one data directory.
///
/// # Errors
/// See [`run_hosts`].
pub async fn run(cycles: u64, seed: u64) -> Result<KillReport> {
    let mut random = Random(seed);
    let host_run = |cycle: u64| {
        // Every second host kills itself at a fail point, if it reaches that in time.
        let point = (cycle % 2 == 1).then(|| {
            let (name, visits) = random.one_of(&FAIL_POINTS);
            ("PILUMTEST_FAIL_POINT".to_owned(), format!("{name}:{}", 1 + random.below(visits)))
        });
        HostRun {
            load_time: LOAD_TIME_MAX.mul_f64(random.below(1_000) as f64 / 1_000.0),
            environment: point.into_iter().collect(),
            is_terminated: cycle % 8 == 6,
        }
    };
    run_hosts((0..cycles).map(host_run)).await
}

/// Runs hosts one after the other over one data directory.
///
/// # Errors
/// If a host does not start again, does not end with exit code 0 after SIGTERM, or is
/// not idle in time at the end.
pub async fn run_hosts(runs: impl Iterator<Item = HostRun>) -> Result<KillReport> {
    let data = tempfile::tempdir()?;
    let log = data.path().join("host.log");
    let record = Mutex::new(ClientRecord::default());
    let mut cycles = 0;
    for run in runs {
        run_host(data.path(), &log, &run, cycles, &record).await.with_context(|| format!("{run:?}"))?;
        cycles += 1;
    }
    let host = builder(data.path(), &log).start().await?;
    let client = host.client().await?;
    idle(&client).await?;
    compare(&client, &log, cycles, record.into_inner().unwrap_or_default()).await
}

fn builder(data: &Path, log: &Path) -> crate::HostBuilder {
    Host::builder()
        .data_dir(&data.join("host"))
        .log(log)
        .env("PILUM_LOG__FILTER", "warn,pilum_execution=debug")
}

async fn run_host(
    data: &Path,
    log: &Path,
    run: &HostRun,
    cycle: u64,
    record: &Mutex<ClientRecord>,
) -> Result<()> {
    let mut builder = builder(data, log);
    for (name, value) in &run.environment {
        builder = builder.env(name, value);
    }
    let is_well = run.environment.is_empty();
    let host = match builder.start().await {
        Ok(host) => host,
        // A fault may end the host while it starts.
        Err(_) if !is_well => return Ok(()),
        Err(error) => return Err(error),
    };
    let is_over = AtomicBool::new(false);
    let load = async {
        let load = load(&host, cycle, record, &is_over).await;
        // A fault may end the host before the first call.
        if is_well { load } else { Ok(()) }
    };
    let end = async {
        tokio::time::sleep(run.load_time).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let (loaded, ()) = tokio::join!(load, end);
    if run.is_terminated {
        ensure!(host.terminate(END_MAX).await?, "the host's exit code is not 0");
    } else {
        host.kill().await?;
    }
    loaded
}

/// Submits, reads and cancels until the host has ended or its time is over.
async fn load(host: &Host, cycle: u64, record: &Mutex<ClientRecord>, is_over: &AtomicBool) -> Result<()> {
    let add = Functions::of_guest(host, "calculate-fibonacci.core.wasm").await?;
    let exits = Functions::of_bytes(host, "exits", &Script::exits(3).wasm()?).await?;
    let sleeps = Script::sleeps(Duration::from_millis(30)).wasm()?;
    let sleeps = Functions::of_bytes(host, "sleeps", &sleeps).await?;
    let number = AtomicU64::new(0);
    let callers = (0..CALLERS).map(async |_| {
        while !is_over.load(Ordering::Relaxed) {
            let n = number.fetch_add(1, Ordering::Relaxed);
            let id = format!("k-{cycle}-{n}");
            let (call, expected) = match n % 10 {
                0 => (sleeps.call("run", json!(null))?, None),
                1 => (exits.call("run", json!(null))?.retries(1), None),
                _ => (add.call("add", json!([n, 1]))?, Some(n as f64 + 1.0)),
            };
            let call = call.execution_id(ExecutionId::parse(&id)?).mode(Mode::Async);
            let answer = add.client().invoke(call).await;
            let is_gone = {
                let mut record = record.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                match answer {
                    Ok(_) => {
                        record.accepted.insert(id, expected);
                        false
                    }
                    Err(error) if error.code() == Some(Code::ResourceExhausted) => {
                        record.refused.push(id);
                        false
                    }
                    // The host failed, perhaps before and perhaps after it accepted the call.
                    Err(error) => {
                        record.unanswered.push(id);
                        error.code() != Some(Code::Internal)
                    }
                }
            };
            if is_gone {
                return Ok(());
            }
            if n.is_multiple_of(7) {
                read_or_cancel(add.client(), &format!("k-{cycle}-{}", n / 2), n.is_multiple_of(2), record)
                    .await?;
            }
        }
        Ok(())
    });
    futures::future::try_join_all(callers).await.map(drop)
}

/// Reads or cancels an execution, and remembers its state if it is terminal.
async fn read_or_cancel(client: &Client, id: &str, cancel: bool, record: &Mutex<ClientRecord>) -> Result<()> {
    let parsed = ExecutionId::parse(id)?;
    let state = if cancel {
        client.cancel(&parsed, "for the test", true).await.ok().map(|cancelled| cancelled.state)
    } else {
        client.status(&parsed, false, false).await.ok().flatten().map(|report| report.status.state)
    };
    if let Some(state) = state.filter(|state| state.is_terminal()) {
        let mut record = record.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        record.seen.insert(id.to_owned(), state);
    }
    Ok(())
}

async fn compare(client: &Client, log: &Path, cycles: u64, record: ClientRecord) -> Result<KillReport> {
    let begun = attempts_begun(log)?;
    let mut found = KillReport { cycles, accepted: record.accepted.len(), ..KillReport::default() };
    for (id, expected) in &record.accepted {
        let report = client.status(&ExecutionId::parse(id)?, true, false).await?;
        let Some(report) = report.filter(|report| report.status.state.is_terminal()) else {
            found.lost.push(id.clone());
            continue;
        };
        compare_one(&mut found, id, *expected, &report, &record, &begun);
    }
    for id in &record.unanswered {
        if let Some(report) = client.status(&ExecutionId::parse(id)?, true, false).await? {
            found.unanswered += 1;
            ensure!(report.status.state.is_terminal(), "{id} has not ended, though the host is idle");
            compare_one(&mut found, id, None, &report, &record, &begun);
        }
    }
    for id in &record.refused {
        if client.status(&ExecutionId::parse(id)?, false, false).await?.is_some() {
            found.ghosts.push(id.clone());
        }
    }
    Ok(found)
}

fn compare_one(
    found: &mut KillReport,
    id: &str,
    expected: Option<f64>,
    report: &Report,
    record: &ClientRecord,
    begun: &HashMap<String, usize>,
) {
    let status = &report.status;
    if record.seen.get(id).is_some_and(|seen| *seen != status.state) {
        found.changed.push(id.to_owned());
    }
    let result = match &status.output {
        Some(Output::Typed(Value::Number(number))) => Some(*number),
        _ => None,
    };
    if expected.is_some() && status.state == State::Completed && result != expected {
        found.wrong.push(id.to_owned());
    }
    let runs = begun.get(id).copied().unwrap_or(0);
    found.run_again += usize::from(runs > 1);
    if runs > report.attempts.len() {
        found.unexplained.push(id.to_owned());
    }
    found.given_up += usize::from(status.error_code.as_deref() == Some("WORKER_LOST"));
}

/// How often an attempt of each execution began, from the hosts' logs.
fn attempts_begun(log: &Path) -> Result<HashMap<String, usize>> {
    let mut begun = HashMap::new();
    let text = std::fs::read(log)?;
    for line in String::from_utf8_lossy(&text).lines().filter(|line| line.contains("an attempt begins")) {
        let id = line.split("id=").nth(1).and_then(|rest| rest.split_whitespace().next());
        *begun.entry(id.context("the log has an attempt without an id")?.to_owned()).or_default() += 1;
    }
    Ok(begun)
}

/// Numbers that are the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn one_of<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0) };
        let at = self.below(N as u64) as usize;
        items.get(at).copied().unwrap_or(items[0])
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

//! The kill test: a host is loaded, killed at any moment, and started again over
//! its data, many times; then what it has is compared with what its client knows.

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

/// Callers at once: enough that groups of changes hold several of them.
const CALLERS: usize = 16;
/// The longest a host lives before it is killed.
const LIFE_MAX: Duration = Duration::from_millis(600);
/// How long one may take that is asked to end: the drain's default and a second.
const END_MAX: Duration = Duration::from_secs(26);
/// Where a host dies by itself, and of how many visits it dies at most.
const FAIL_POINTS: [(&str, u64); 4] =
    [("store.commit", 40), ("store.written", 40), ("run.before", 200), ("run.after", 200)];

/// What the client knows.
#[derive(Debug, Default)]
struct Ledger {
    /// Executions whose acceptance was answered, with what `add` must return.
    accepted: BTreeMap<String, Option<f64>>,
    /// Those that were refused: nothing of them may exist.
    refused: Vec<String>,
    /// Those of which nothing was heard: they may exist or not.
    unanswered: Vec<String>,
    /// Terminal states that were read: they are final.
    seen: HashMap<String, State>,
}

/// What a kill test found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// Hosts killed.
    pub cycles: u64,
    /// Executions whose acceptance was answered.
    pub accepted: usize,
    /// Executions of which nothing was heard, and that exist.
    pub unanswered: usize,
    /// Accepted executions that are gone or have not ended. Must be 0.
    pub lost: Vec<String>,
    /// Results that are not what the function returns. Must be 0.
    pub wrong: Vec<String>,
    /// Ends that changed after they had been read. Must be 0.
    pub changed: Vec<String>,
    /// Executions that were run more often than they have attempts. Must be 0.
    pub unexplained: Vec<String>,
    /// Refused executions that exist. Must be 0.
    pub ghosts: Vec<String>,
    /// Executions that ran more than once.
    pub run_again: usize,
    /// Executions that ended FAILED with WORKER_LOST: three hosts died with them.
    pub given_up: usize,
}

impl Found {
    /// Whether every promise was kept.
    pub fn is_good(&self) -> bool {
        [&self.lost, &self.wrong, &self.changed, &self.unexplained, &self.ghosts]
            .iter()
            .all(|list| list.is_empty())
    }
}

/// How one host lives and dies.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// How long it is loaded.
    pub lasts: Duration,
    /// What is set in its environment: where or how it fails.
    pub environment: Vec<(String, String)>,
    /// Whether it is asked to end, instead of being killed.
    pub is_asked: bool,
}

/// Kills `cycles` hosts, one after the other, over one data directory.
///
/// # Errors
/// As [`lives`].
pub async fn run(cycles: u64, seed: u64) -> Result<Found> {
    let mut random = Random(seed);
    let life = |cycle: u64| {
        // Every other host dies at a named place, if it comes by there in time.
        let point = (cycle % 2 == 1).then(|| {
            let (name, visits) = random.one_of(&FAIL_POINTS);
            ("PILUMTEST_FAIL_POINT".to_owned(), format!("{name}:{}", 1 + random.below(visits)))
        });
        Life {
            lasts: LIFE_MAX.mul_f64(random.below(1_000) as f64 / 1_000.0),
            environment: point.into_iter().collect(),
            is_asked: cycle % 8 == 6,
        }
    };
    lives((0..cycles).map(life)).await
}

/// Has hosts live one after the other over one data directory.
///
/// # Errors
/// When a host does not start again, does not end well when it is asked to, or
/// does not come to rest at the end.
pub async fn lives(lives: impl Iterator<Item = Life>) -> Result<Found> {
    let data = tempfile::tempdir()?;
    let log = data.path().join("host.log");
    let ledger = Mutex::new(Ledger::default());
    let mut cycles = 0;
    for life in lives {
        one_life(data.path(), &log, &life, cycles, &ledger).await.with_context(|| format!("{life:?}"))?;
        cycles += 1;
    }
    let host = builder(data.path(), &log).start().await?;
    let client = host.client().await?;
    idle(&client).await?;
    compare(&client, &log, cycles, ledger.into_inner().unwrap_or_default()).await
}

fn builder(data: &Path, log: &Path) -> crate::HostBuilder {
    Host::builder()
        .data_dir(&data.join("host"))
        .log(log)
        .env("PILUM_LOG__FILTER", "warn,pilum_execution=debug")
}

async fn one_life(data: &Path, log: &Path, life: &Life, cycle: u64, ledger: &Mutex<Ledger>) -> Result<()> {
    let mut builder = builder(data, log);
    for (name, value) in &life.environment {
        builder = builder.env(name, value);
    }
    let is_well = life.environment.is_empty();
    let host = match builder.start().await {
        Ok(host) => host,
        // One that dies while it starts has lived too.
        Err(_) if !is_well => return Ok(()),
        Err(error) => return Err(error),
    };
    let is_over = AtomicBool::new(false);
    let load = async {
        let load = load(&host, cycle, ledger, &is_over).await;
        // A host may be gone before its first caller has come.
        if is_well { load } else { Ok(()) }
    };
    let end = async {
        tokio::time::sleep(life.lasts).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let (loaded, ()) = tokio::join!(load, end);
    if life.is_asked {
        ensure!(host.terminate(END_MAX).await?, "it did not end well");
    } else {
        host.kill().await?;
    }
    loaded
}

/// Submits, reads and cancels until the host is gone or its time is over.
async fn load(host: &Host, cycle: u64, ledger: &Mutex<Ledger>, is_over: &AtomicBool) -> Result<()> {
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
                let mut ledger = ledger.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                match answer {
                    Ok(_) => {
                        ledger.accepted.insert(id, expected);
                        false
                    }
                    Err(error) if error.code() == Some(Code::ResourceExhausted) => {
                        ledger.refused.push(id);
                        false
                    }
                    // The host failed, and whether before or after it is not told.
                    Err(error) => {
                        ledger.unanswered.push(id);
                        error.code() != Some(Code::Internal)
                    }
                }
            };
            if is_gone {
                return Ok(());
            }
            if n.is_multiple_of(7) {
                look(add.client(), &format!("k-{cycle}-{}", n / 2), n.is_multiple_of(2), ledger).await?;
            }
        }
        Ok(())
    });
    futures::future::try_join_all(callers).await.map(drop)
}

/// Reads an execution and remembers its end, or cancels it.
async fn look(client: &Client, id: &str, cancel: bool, ledger: &Mutex<Ledger>) -> Result<()> {
    let parsed = ExecutionId::parse(id)?;
    let state = if cancel {
        client.cancel(&parsed, "for the test", true).await.ok().map(|cancelled| cancelled.state)
    } else {
        client.status(&parsed, false, false).await.ok().flatten().map(|report| report.status.state)
    };
    if let Some(state) = state.filter(|state| state.is_terminal()) {
        let mut ledger = ledger.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        ledger.seen.insert(id.to_owned(), state);
    }
    Ok(())
}

async fn compare(client: &Client, log: &Path, cycles: u64, ledger: Ledger) -> Result<Found> {
    let begun = begun(log)?;
    let mut found = Found { cycles, accepted: ledger.accepted.len(), ..Found::default() };
    for (id, expected) in &ledger.accepted {
        let report = client.status(&ExecutionId::parse(id)?, true, false).await?;
        let Some(report) = report.filter(|report| report.status.state.is_terminal()) else {
            found.lost.push(id.clone());
            continue;
        };
        judge(&mut found, id, *expected, &report, &ledger, &begun);
    }
    for id in &ledger.unanswered {
        if let Some(report) = client.status(&ExecutionId::parse(id)?, true, false).await? {
            found.unanswered += 1;
            ensure!(report.status.state.is_terminal(), "{id} has not ended, though nothing waits or runs");
            judge(&mut found, id, None, &report, &ledger, &begun);
        }
    }
    for id in &ledger.refused {
        if client.status(&ExecutionId::parse(id)?, false, false).await?.is_some() {
            found.ghosts.push(id.clone());
        }
    }
    Ok(found)
}

fn judge(
    found: &mut Found,
    id: &str,
    expected: Option<f64>,
    report: &Report,
    ledger: &Ledger,
    begun: &HashMap<String, usize>,
) {
    let status = &report.status;
    if ledger.seen.get(id).is_some_and(|seen| *seen != status.state) {
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

/// How often an attempt of each execution began, as the hosts said themselves.
fn begun(log: &Path) -> Result<HashMap<String, usize>> {
    let mut begun = HashMap::new();
    let text = std::fs::read(log)?;
    for line in String::from_utf8_lossy(&text).lines().filter(|line| line.contains("an attempt begins")) {
        let id = line.split("id=").nth(1).and_then(|rest| rest.split_whitespace().next());
        *begun.entry(id.context("an attempt without an id")?.to_owned()).or_default() += 1;
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

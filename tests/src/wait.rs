//! Waiting, always with a bound, and reading the memory of a process.

use anyhow::{Context, Result, bail};
use pilum_client::{Client, Health, Report};
use pilum_types::ExecutionId;
use std::time::Duration;
use tokio::time::Instant;

/// The longest that a test waits for one thing.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// The pause between two attempts.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Calls `look` again and again until it returns a value.
///
/// # Errors
/// If `look` fails, or returns no value in time; then the error names `what`.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + WAIT_MAX;
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        if Instant::now() >= end {
            bail!("after {} s still no: {what}", WAIT_MAX.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until an execution has ended; returns its report with result and log.
///
/// # Errors
/// If there is no such execution or it does not end in time.
pub async fn ended(client: &Client, id: &ExecutionId) -> Result<Report> {
    until(&format!("the end of {id}"), async || {
        let report = client.status(id, true, true).await?;
        let report = report.with_context(|| format!("there is no execution {id}"))?;
        Ok(report.status.state.is_terminal().then_some(report))
    })
    .await
}

/// Waits until no execution of the host is running or pending.
///
/// # Errors
/// If the host is not idle in time.
pub async fn idle(client: &Client) -> Result<Health> {
    until("a host with nothing to do", async || {
        let health = client.health().await?;
        Ok((health.running == 0 && health.pending == 0).then_some(health))
    })
    .await
}

/// The resident memory of a process now, in bytes.
///
/// # Errors
/// If there is no such process.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:").map(|kib| kib << 10)
}

/// The highest resident memory of a process so far, in bytes, as the kernel reports it.
///
/// # Errors
/// If there is no such process.
pub fn resident_peak_bytes(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:").map(|kib| kib << 10)
}

fn status_kib(pid: u32, key: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).with_context(|| key.to_owned())?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

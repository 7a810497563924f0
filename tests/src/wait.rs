//! Waiting for what will be so, always bounded, and looking at a process.

use anyhow::{Context, Result, bail};
use pilum_client::{Client, Health, Report};
use pilum_types::ExecutionId;
use std::time::Duration;
use tokio::time::Instant;

/// How long anything may take that a test waits for.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until there is something to see.
///
/// # Errors
/// When looking fails, or nothing is seen in time: then `what` is named.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + WAIT_MAX;
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        if Instant::now() >= end {
            bail!("waited {} s in vain for: {what}", WAIT_MAX.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits for an execution's end; with its result and its log.
///
/// # Errors
/// When there is no such execution or it does not end in time.
pub async fn ended(client: &Client, id: &ExecutionId) -> Result<Report> {
    until(&format!("the end of {id}"), async || {
        let report = client.status(id, true, true).await?;
        let report = report.with_context(|| format!("there is no execution {id}"))?;
        Ok(report.status.state.is_terminal().then_some(report))
    })
    .await
}

/// Waits until nothing runs or waits on the host any more.
///
/// # Errors
/// When something still does after a long time.
pub async fn idle(client: &Client) -> Result<Health> {
    until("a host with nothing to do", async || {
        let health = client.health().await?;
        Ok((health.running == 0 && health.pending == 0).then_some(health))
    })
    .await
}

/// Memory of a process that is backed by real memory now, in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:").map(|kib| kib << 10)
}

/// The most that [`resident_bytes`] ever was, as the kernel kept count.
///
/// # Errors
/// When there is no such process.
pub fn resident_peak_bytes(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:").map(|kib| kib << 10)
}

fn status_kib(pid: u32, key: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).with_context(|| key.to_owned())?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

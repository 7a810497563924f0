//! The host's own log on standard error, as text or JSON.

use crate::config::Log;
use anyhow::{Context, Result};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log. Must be called once.
pub(crate) fn start(log: &Log) -> Result<()> {
    let filter = EnvFilter::try_new(&log.filter)
        .with_context(|| format!("the configuration: log.filter is {:?}", log.filter))?;
    let colours = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    match log.format.as_str() {
        "json" => lines.json().finish().try_init(),
        _ => lines.finish().try_init(),
    }
    .context("the log cannot be started")
}

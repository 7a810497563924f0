//! Shows that long work goes on: on standard error, and only on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// A line that shows work under way. The line disappears when this is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A line for work whose length is not known. Shown only with `wanted`.
    pub(crate) fn spinner(wanted: bool, what: impl Into<String>) -> Self {
        let bar = if wanted && is_shown() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.into());
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// A line for a transfer of `total` bytes. Shown only with `wanted`.
    pub(crate) fn bytes(wanted: bool, total: u64, what: impl Into<String>) -> Self {
        let bar = if wanted && is_shown() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {bytes}/{total_bytes}") {
            bar.set_style(style);
        }
        bar.set_message(what.into());
        Self(bar)
    }

    /// Shows that `bytes` are transferred.
    pub(crate) fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// Removes the line.
    pub(crate) fn end(self) {
        self.0.finish_and_clear();
    }
}

fn is_shown() -> bool {
    std::io::stderr().is_terminal()
}

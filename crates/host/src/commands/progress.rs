//! Long work shows that it goes on: on a terminal, on standard error, and nowhere
//! else.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::time::Duration;

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// Work under way. Disappears when it is dropped.
#[derive(Debug, Clone)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Work of which nobody knows how long it takes. Shown only with `wanted`.
    pub(super) fn spinner(wanted: bool, what: impl Into<String>) -> Self {
        let bar = if wanted && is_shown() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.into());
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// Bytes on their way.
    pub(super) fn bytes(wanted: bool, total: u64, what: impl Into<String>) -> Self {
        let bar = if wanted && is_shown() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {bytes}/{total_bytes}") {
            bar.set_style(style);
        }
        bar.set_message(what.into());
        Self(bar)
    }

    /// So many bytes have left.
    pub(super) fn at(&self, bytes: u64) {
        self.0.set_position(bytes);
    }

    /// Takes the line away.
    pub(super) fn end(self) {
        self.0.finish_and_clear();
    }
}

/// Whether anybody looks.
fn is_shown() -> bool {
    std::io::stderr().is_terminal()
}

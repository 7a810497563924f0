//! The report of one run: the machine, how much was measured, and the figures.

use crate::measure::{Figure, Plan};
use serde::Serialize;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Everything about one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The commit that was measured, if it is known; `-dirty` at its end means that the
    /// checkout had changes that are not committed.
    pub(crate) commit: Option<String>,
    pub(crate) machine: Machine,
    pub(crate) plan: Plan,
    pub(crate) figures: Vec<Figure>,
    /// Rows that could not be measured.
    pub(crate) failures: Vec<Failure>,
}

/// A row that could not be measured.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) row: &'static str,
    pub(crate) reason: String,
}

/// The machine, as far as it can be read from `/proc`.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) processor: Option<String>,
    pub(crate) memory_mib: Option<u64>,
    pub(crate) kernel: Option<String>,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let memory = field("/proc/meminfo", "MemTotal");
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: field("/proc/cpuinfo", "model name"),
            memory_mib: memory.and_then(|kib| Some(kib.strip_suffix(" kB")?.parse::<u64>().ok()? / 1024)),
            kernel: kernel.map(|release| release.trim().to_owned()),
        }
    }

    /// The machine in one line for people.
    pub(crate) fn shown(&self) -> String {
        let memory = self.memory_mib.map(|mib| format!("{} GiB", (mib + 512) / 1024));
        let kernel = self.kernel.as_ref().map(|release| format!("Linux {release}"));
        let parts = [Some(format!("{} cores", self.cores)), self.processor.clone(), memory, kernel];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The commit of the sources; `None` without a git checkout or without git.
pub(crate) fn commit() -> Option<String> {
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output();
    let output = described.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The value of the first line `NAME : VALUE` of a file below `/proc`.
pub(crate) fn field(file: impl AsRef<Path>, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
}

//! Faults that tests inject below the host: of its disk and of its clock.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles the library that injects the faults into `folder`. It works in a host that is
/// started with it in `LD_PRELOAD`; `faults.c` lists the faults.
///
/// # Errors
/// If there is no C compiler.
pub fn library(folder: &Path) -> Result<PathBuf> {
    let library = folder.join("libfaults.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    ensure!(built.context("no C compiler")?.success(), "faults.c does not compile");
    Ok(library)
}

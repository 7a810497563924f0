//! Faults below the host: of its disk and of its clock.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library that makes them, built on the spot into `folder`. A host that is
/// started with it in `LD_PRELOAD` has what `faults.c` says.
///
/// # Errors
/// When there is no C compiler.
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

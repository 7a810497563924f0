//! Turns a core module built for `wasm32-wasip1` into a component.
//!
//! `componentize --adapter reactor|command IN.wasm OUT.wasm`
//!
//! The adapter maps the module's WASI preview 1 imports onto preview 2.
//! *reactor* is for a library whose exports `wit-bindgen` has described; *command* is
//! for a program with `_start`, which becomes `wasi:cli/run`.
//!
//! If the output file already has the right content, it is not written again, so that
//! its modification time changes only with its content.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

const USAGE: &str = "usage: componentize --adapter reactor|command IN.wasm OUT.wasm";

fn main() -> ExitCode {
    match run(std::env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("componentize: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    adapter: &'static [u8],
    input: PathBuf,
    output: PathBuf,
}

fn run(arguments: Vec<OsString>) -> Result<()> {
    let Arguments { adapter, input, output } = parse(arguments)?;
    let module = fs::read(&input).with_context(|| format!("cannot read {}", input.display()))?;
    let component = encode(&module, adapter)
        .with_context(|| format!("cannot make a component of {}", input.display()))?;
    write_if_changed(&output, &component).with_context(|| format!("cannot write {}", output.display()))
}

fn parse(arguments: Vec<OsString>) -> Result<Arguments> {
    let Ok([flag, adapter, input, output]) = <[OsString; 4]>::try_from(arguments) else {
        bail!("expected four arguments\n{USAGE}");
    };
    if flag != "--adapter" {
        bail!("unknown argument {flag:?}\n{USAGE}");
    }
    let adapter = match adapter.to_str() {
        Some("reactor") => WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        Some("command") => WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
        _ => bail!("unknown adapter {adapter:?}\n{USAGE}"),
    };
    Ok(Arguments { adapter, input: input.into(), output: output.into() })
}

fn encode(module: &[u8], adapter: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .context("not a core module with a readable component type")?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)
        .context("the adapter does not fit")?
        .encode()
}

/// Writes a file beside the output and renames it, so that no reader sees an incomplete
/// file.
fn write_if_changed(output: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(output).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    let mut temporary = output.as_os_str().to_owned();
    temporary.push(".tmp");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, output)?;
    Ok(())
}

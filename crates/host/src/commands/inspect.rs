//! `pilum inspect`: shows the exports and imports of a file.

use super::local_host;
use super::target::{file_location, folder_and_file};
use crate::cli::Inspect;
use crate::terminal::exit::FAILED;
use crate::terminal::print;
use crate::wiring;
use anyhow::{Context, Result};
use pilum_engine::Services;
use pilum_types::{ArtifactSource, FunctionSignature, Grants, Import};
use serde_json::{Value as Json, json};
use std::process::ExitCode;

pub(super) async fn run(inspect: Inspect) -> Result<ExitCode> {
    let (root, file) = folder_and_file(&inspect.file)?;
    let native = inspect.data_dir.map_or_else(local_host::cache_directory, Ok)?.join("native");
    let own = tempfile::tempdir().context("a temporary directory")?;
    let mut config = wiring::local_config(&root, own.path());
    config.artifacts.allow_missing_checksum = true;
    let artifacts = wiring::artifacts(&config)?;
    let location = file_location(&file)?;
    let artifact = artifacts.fetch(&ArtifactSource { location, checksum: None }).await?;
    let engine = wiring::engine(&config, artifacts, &native, Services::default())?;
    let (functions, imports) = engine.describe(&artifact, &Grants::default()).await?;
    let granted = imports.iter().all(|import| import.granted);
    let kind = functions.first().map_or("library without functions", |function| function.kind.as_str());
    if inspect.json {
        print::json(&json!({
            "digest": artifact.digest().to_string(),
            "bytes": artifact.bytes().len(),
            "kind": kind,
            "functions": functions.iter().map(function_json).collect::<Vec<_>>(),
            "imports": imports.iter().map(|i| json!({ "name": i.name, "granted": i.granted })).collect::<Vec<_>>(),
            "runs_here": granted,
        }));
    } else {
        print::text(format!("{kind}, {} bytes, {}", artifact.bytes().len(), artifact.digest()));
        print_text(&functions, &imports);
    }
    Ok(if granted { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn print_text(functions: &[FunctionSignature], imports: &[Import]) {
    print::text("\nfunctions:");
    for function in functions {
        print::text(format!("  {function}"));
    }
    print::text(if imports.is_empty() { "\nimports: none" } else { "\nimports:" });
    for import in imports {
        let granted = if import.granted { "" } else { "  NOT GRANTED: this host would refuse the artifact" };
        print::text(format!("  {}{granted}", import.name));
    }
}

fn function_json(function: &FunctionSignature) -> Json {
    json!({
        "name": function.name,
        "kind": function.kind.as_str(),
        "parameters": function.parameters.iter()
            .map(|parameter| json!({ "name": parameter.name, "type": parameter.ty.to_string() })).collect::<Vec<_>>(),
        "results": function.results.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

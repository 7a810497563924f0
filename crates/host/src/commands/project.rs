//! `pilum new`, `build`, `deploy`, `rollback` and `describe`: a function from its
//! template to a task on a host.

use super::progress::Progress;
use super::{FAILED, REFUSED, connect, print};
use crate::cli::{Build, Delete, Deploy, Describe, New, Rollback};
use anyhow::{Context, Result, bail};
use pilum_client::{Client, DeployResult, Deployment, FunctionDescription, Revision, TaskDescription};
use pilum_project::{Built, Manifest, Step, TEMPLATES};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn new(new: &New) -> Result<ExitCode> {
    let Some(name) = &new.template else {
        print::text("templates:");
        for template in TEMPLATES {
            print::text(format!("  {:<16} {}", template.name, template.about));
        }
        print::remark("make a project with: pilum new --template NAME FOLDER");
        // Asked for a folder, and none was made.
        let refused = new.folder.is_some();
        return Ok(if refused { ExitCode::from(REFUSED) } else { ExitCode::SUCCESS });
    };
    let Some(template) = TEMPLATES.iter().find(|template| template.name == *name) else {
        let known: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
        bail!("there is no template {name:?}; known are {}", known.join(", "));
    };
    let folder = new.folder.as_deref().context("which folder? pilum new --template NAME FOLDER")?;
    let task = template.create(folder)?;
    print::text(format!("{} is a {} project", folder.display(), template.name));
    print::remark(format!("next: cd {} && pilum build && pilum deploy", folder.display()));
    print::remark(format!("then: pilum describe {task}"));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn build(build: &Build) -> Result<ExitCode> {
    let manifest = Manifest::read(&build.project)?;
    let began = Instant::now();
    let built = built(&manifest, !build.json)?;
    if build.json {
        print::json(&json!({
            "artifact": built.file,
            "bytes": built.bytes.len(),
            "componentized": built.componentized,
            "took_ms": u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        }));
    } else {
        let took = began.elapsed().as_secs_f64();
        print::text(format!("{}: {} bytes, in {took:.1} s", built.file.display(), built.bytes.len()));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn deploy(deploy: Deploy) -> Result<ExitCode> {
    let manifest = Manifest::read(&deploy.project)?;
    let shown = !deploy.remote.json;
    let built = manifest.artifact(|_| {})?;
    let client = connect(&deploy.remote).await?;
    let deployed = deploy_built(&client, &manifest, built, shown).await?;
    print_deployed(&deployed, manifest.name.as_str(), deploy.remote.json, "deployed");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn rollback(rollback: Rollback) -> Result<ExitCode> {
    let client = connect(&rollback.remote).await?;
    let deployed = client.rollback(&rollback.task, rollback.revision).await?;
    print_deployed(&deployed, &rollback.task, rollback.remote.json, "back at");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn delete(delete: Delete) -> Result<ExitCode> {
    let client = connect(&delete.remote).await?;
    let task = client.describe(&delete.task).await?;
    let deletion = client.delete_task(&task.id, delete.force, delete.force).await?;
    if delete.remote.json {
        print::json(&json!({ "task_id": task.id.as_str(), "deleted": deletion.deleted }));
    } else {
        print::text(format!("{}: {}", task.name, deletion.message));
    }
    Ok(if deletion.deleted { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

pub(super) async fn describe(describe: Describe) -> Result<ExitCode> {
    let task = connect(&describe.remote).await?.describe(&describe.task).await?;
    if describe.remote.json {
        print::json(&description_json(&task));
    } else {
        print_description(&task);
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the build, and shows what it does.
pub(super) fn built(manifest: &Manifest, shown: bool) -> Result<Built> {
    let say = |step: Step<'_>| match step {
        Step::Command(command) if shown => print::remark(format!("$ {command}")),
        Step::Componentize if shown => print::remark("making a component of the core module"),
        Step::Command(_) | Step::Componentize => {}
    };
    Ok(manifest.build(say)?)
}

/// Uploads what was built and makes it the task.
pub(super) async fn deploy_built(
    client: &Client,
    manifest: &Manifest,
    built: Built,
    shown: bool,
) -> Result<DeployResult> {
    let uploading = Progress::bytes(shown, built.bytes.len() as u64, "uploading");
    let told = uploading.clone();
    let source = client.upload(built.bytes.into(), move |bytes| told.at(bytes)).await?;
    uploading.end();
    let compiling = Progress::spinner(shown, "the host compiles it");
    let deployment = Deployment {
        name: manifest.name.clone(),
        description: manifest.description.clone(),
        source,
        version: manifest.version.clone(),
        policy: manifest.policy.clone(),
    };
    let deployed = client.deploy(deployment).await;
    compiling.end();
    Ok(deployed?)
}

fn print_deployed(deployed: &DeployResult, name: &str, as_json: bool, done: &str) {
    let DeployResult { task_id, revision, changed } = deployed;
    if as_json {
        print::json(&json!({
            "task_id": task_id.as_str(),
            "changed": changed,
            "revision": revision_json(revision),
        }));
    } else if *changed {
        print::text(format!("{name}: {done} revision {} ({task_id})", revision.number));
    } else {
        print::text(format!("{name}: revision {} was in force already ({task_id})", revision.number));
    }
}

fn revision_json(revision: &Revision) -> Json {
    json!({
        "number": revision.number,
        "digest": revision.digest,
        "version": revision.version,
        "location": revision.location,
        "deployed_at": revision.deployed_at.map(print::time),
        "current": revision.is_current,
    })
}

fn description_json(task: &TaskDescription) -> Json {
    let schema = |text: &str| serde_json::from_str::<Json>(text).unwrap_or_default();
    let function = |function: &FunctionDescription| {
        json!({
            "name": function.name,
            "signature": function.signature,
            "docs": function.docs,
            "schema": schema(&function.json_schema),
        })
    };
    json!({
        "task_id": task.id.as_str(),
        "name": task.name,
        "description": task.description,
        "kind": task.kind,
        "functions": task.functions.iter().map(function).collect::<Vec<_>>(),
        "imports": task.imports.iter().map(|i| json!({ "name": i.name, "granted": i.granted })).collect::<Vec<_>>(),
        "policy": task.policy.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>(),
        "revisions": task.revisions.iter().map(revision_json).collect::<Vec<_>>(),
    })
}

fn print_description(task: &TaskDescription) {
    print::text(format!("{}, {} ({})", task.name, task.kind, task.id));
    if !task.description.is_empty() {
        print::text(&task.description);
    }
    print::text("\nfunctions:");
    for function in &task.functions {
        for line in function.docs.lines() {
            print::text(format!("  /// {line}"));
        }
        print::text(format!("  {}", function.signature));
    }
    print::text(if task.imports.is_empty() { "\nimports: none" } else { "\nimports:" });
    for import in &task.imports {
        print::text(format!("  {}{}", import.name, if import.granted { "" } else { "  (not granted)" }));
    }
    if !task.policy.is_empty() {
        print::text("\npolicy:");
    }
    for (key, value) in &task.policy {
        print::text(format!("  {key} = {value}"));
    }
    print::text("\nrevisions:");
    let heads = ["", "NUMBER", "DEPLOYED", "VERSION", "DIGEST"].map(str::to_owned).to_vec();
    let rows = task.revisions.iter().map(|revision| {
        vec![
            if revision.is_current { "*" } else { "" }.to_owned(),
            revision.number.to_string(),
            revision.deployed_at.map_or_else(|| "-".to_owned(), print::time),
            revision.version.clone(),
            revision.digest.chars().take(23).collect(),
        ]
    });
    print::table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>());
}

/// The folder that a project's path means.
pub(super) fn folder(project: &Path) -> &Path {
    if project.is_dir() { project } else { project.parent().unwrap_or(project) }
}

//! `pilum deploy` and `pilum rollback`: which revision of a task new calls run.

use super::remote::connect;
use super::tasks::revision_json;
use crate::cli::{Deploy, Rollback};
use crate::terminal::print;
use crate::terminal::progress::Progress;
use anyhow::Result;
use pilum_client::{Client, DeployResult, Deployment};
use pilum_project::{BuiltArtifact, Manifest};
use serde_json::json;
use std::process::ExitCode;

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

/// Uploads what was built, and makes it the active revision of the task. With `shown` it
/// shows the progress.
pub(super) async fn deploy_built(
    client: &Client,
    manifest: &Manifest,
    built: BuiltArtifact,
    shown: bool,
) -> Result<DeployResult> {
    let uploading = Progress::bytes(shown, built.bytes.len() as u64, "uploading");
    let progress = uploading.clone();
    let source = client.upload(built.bytes.into(), move |bytes| progress.at(bytes)).await?;
    uploading.end();
    let compiling = Progress::spinner(shown, "the host compiles the artifact");
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
        print::text(format!("{name}: revision {} was active already ({task_id})", revision.number));
    }
}

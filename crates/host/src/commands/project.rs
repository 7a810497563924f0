//! `pilum new` and `pilum build`: a project on this machine.

use crate::cli::{Build, New};
use crate::terminal::exit::REFUSED;
use crate::terminal::print;
use anyhow::{Context, Result, bail};
use pilum_project::{BuildStep, BuiltArtifact, Manifest, TEMPLATES};
use serde_json::json;
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
        // A folder without a template is a mistake: nothing was made in it.
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
    let built = build_shown(&manifest, !build.json)?;
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

/// Builds a project. With `shown` it prints each step.
pub(super) fn build_shown(manifest: &Manifest, shown: bool) -> Result<BuiltArtifact> {
    let say = |step: BuildStep<'_>| match step {
        BuildStep::Command(command) if shown => print::remark(format!("$ {command}")),
        BuildStep::Componentize if shown => print::remark("making a component of the core module"),
        BuildStep::Command(_) | BuildStep::Componentize => {}
    };
    Ok(manifest.build(say)?)
}

/// The folder of a project, whose path may be that of the manifest.
pub(super) fn folder(project: &Path) -> &Path {
    if project.is_dir() { project } else { project.parent().unwrap_or(project) }
}

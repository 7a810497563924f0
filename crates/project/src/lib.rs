//! A project: the folder in which an author writes a function. It has a manifest, is made
//! from a template, and is built into an artifact.
//!
//! In reading order: [`Manifest`] is `pilum.toml`; [`TEMPLATES`] are the projects that
//! `pilum new` can make; [`Manifest::build`] runs the author's build command. If the
//! command makes a core module that names its WIT world, the build makes a component of
//! the module.
//!
//! **Invariant:** no host and no network. This crate knows files and processes of
//! the author's machine, and nothing of how functions are run.

mod error;
mod manifest;
mod template;

mod build;
mod component;

pub use build::{BuildStep, BuiltArtifact};
pub use error::ProjectError;
pub use manifest::{MANIFEST, Manifest};
pub use template::{TEMPLATES, Template};

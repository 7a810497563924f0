//! A function as its author has it on disk: a folder with a manifest, made from a
//! template, built into an artifact.
//!
//! [`Manifest`] is `pilum.toml`; [`TEMPLATES`] are what `pilum new` begins with;
//! [`Manifest::build`] runs the author's own build command and makes a component of
//! what it left, if that is a core module that says which world it is for.
//!
//! **Invariant:** no host and no network. This crate knows files and processes of
//! the author's machine, and nothing of how functions are run.

mod build;
mod component;
mod error;
mod manifest;
mod template;

pub use build::{Built, Step};
pub use error::ProjectError;
pub use manifest::{MANIFEST, Manifest};
pub use template::{TEMPLATES, Template};

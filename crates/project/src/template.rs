//! The templates of `pilum new`: the examples of each language, unchanged.

use crate::{MANIFEST, ProjectError};
use pilum_types::TaskName;
use std::path::Path;

/// A project to start from.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    /// The name that `pilum new --template` takes.
    pub name: &'static str,
    /// A short description, for people.
    pub about: &'static str,
    /// The files, as path and content.
    files: &'static [(&'static str, &'static [u8])],
}

macro_rules! template {
    ($name:literal, $about:literal, [$($file:literal),+ $(,)?]) => {
        Template {
            name: $name,
            about: $about,
            files: &[$((
                $file,
                include_bytes!(concat!("../../../guest-examples/languages/", $name, "/", $file)),
            )),+],
        }
    };
}

/// Every template.
pub const TEMPLATES: &[Template] = &[
    template!(
        "rust-component",
        "typed functions in Rust",
        [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "pilum.toml", "src/lib.rs", "wit/world.wit"]
    ),
    template!(
        "rust-http",
        "an http handler in Rust",
        [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "pilum.toml", "src/http.rs", "src/lib.rs"]
    ),
    template!(
        "rust-command",
        "a program in Rust: JSON in, JSON out",
        [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "pilum.toml", "src/main.rs"]
    ),
    template!(
        "rust-core",
        "a numeric function of half a kilobyte, in Rust",
        [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "pilum.toml", "src/lib.rs"]
    ),
    template!(
        "c",
        "typed functions in C",
        [
            ".gitignore",
            "Makefile",
            "README.md",
            "bindings/functions.c",
            "bindings/functions.h",
            "bindings/functions_component_type.o",
            "functions.c",
            "pilum.toml",
            "wit/world.wit",
        ]
    ),
    template!(
        "javascript",
        "typed functions in JavaScript",
        [".gitignore", "README.md", "functions.js", "package.json", "pilum.toml", "wit/world.wit"]
    ),
    template!(
        "python",
        "typed functions in Python",
        [".gitignore", "README.md", "functions.py", "pilum.toml", "wit/world.wit"]
    ),
    template!(
        "go",
        "a program in Go: JSON in, JSON out",
        [".gitignore", "README.md", "go.mod", "main.go", "pilum.toml"]
    ),
    template!(
        "assemblyscript",
        "a program in AssemblyScript: JSON in, JSON out",
        [
            ".gitignore",
            "README.md",
            "asconfig.json",
            "functions.ts",
            "package-lock.json",
            "package.json",
            "pilum.toml",
        ]
    ),
];

impl Template {
    /// Makes a project in `folder`. Returns the name of its task, which is the name of the
    /// folder.
    ///
    /// # Errors
    /// When the folder is not empty, its name cannot be the name of a task, or it cannot be
    /// written.
    pub fn create(&self, folder: &Path) -> Result<TaskName, ProjectError> {
        let mut entries = match std::fs::read_dir(folder) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(ProjectError::io(folder, error)),
        };
        if entries.as_mut().is_some_and(|entries| entries.next().is_some()) {
            return Err(ProjectError::NotEmpty { path: folder.to_owned() });
        }
        let task = task_name(folder)?;
        for (file, content) in self.files {
            let path = folder.join(file);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).map_err(|error| ProjectError::io(parent, error))?;
            }
            let manifest = (*file == MANIFEST).then(|| with_name(content, &task));
            let content = manifest.as_deref().unwrap_or(content);
            std::fs::write(&path, content).map_err(|error| ProjectError::io(&path, error))?;
        }
        Ok(task)
    }
}

/// The name of the task for a project in `folder`.
fn task_name(folder: &Path) -> Result<TaskName, ProjectError> {
    let absolute = std::path::absolute(folder).map_err(|error| ProjectError::io(folder, error))?;
    let name = absolute.file_name().unwrap_or_default().to_string_lossy().into_owned();
    TaskName::parse(&name).map_err(|error| ProjectError::Manifest {
        path: folder.join(MANIFEST),
        reason: format!("the name of the folder, {name:?}, becomes the name of the task, and it {error}"),
    })
}

/// The manifest with the name of `task` in its first line.
fn with_name(manifest: &[u8], task: &TaskName) -> Vec<u8> {
    let end = manifest.iter().position(|byte| *byte == b'\n').unwrap_or(manifest.len());
    let (_, rest) = manifest.split_at(end);
    [format!("name = \"{task}\"").as_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Manifest;
    use std::collections::BTreeSet;

    #[test]
    fn every_template_is_a_project() {
        for template in TEMPLATES {
            let directory = tempfile::tempdir().unwrap();
            let folder = directory.path().join("my-function");
            assert_eq!(template.create(&folder).unwrap().as_str(), "my-function");
            let manifest = Manifest::read(&folder).unwrap();
            assert_eq!(manifest.name.as_str(), "my-function", "{}", template.name);
            assert!(manifest.build.is_some_and(|build| !build.needs.is_empty()), "{}", template.name);
            let refused = template.create(&folder).unwrap_err().to_string();
            assert!(refused.contains("is not empty"), "{refused}");
        }
    }

    /// The files of an example, except those that its `.gitignore` names.
    fn files_below(folder: &Path, ignored: &[String], below: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if ignored.contains(&name) {
                continue;
            }
            let path = format!("{below}/{name}");
            if entry.file_type().unwrap().is_dir() {
                files_below(&entry.path(), ignored, &path, found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn no_file_is_forgotten() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest-examples/languages");
        let mut kept = BTreeSet::new();
        for entry in std::fs::read_dir(&examples).unwrap() {
            let folder = entry.unwrap().path();
            let Ok(ignored) = std::fs::read_to_string(folder.join(".gitignore")) else { continue };
            let ignored: Vec<String> =
                ignored.lines().map(|line| line.trim_matches('/').to_owned()).collect();
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            files_below(&folder, &ignored, &name, &mut kept);
        }
        let in_templates: BTreeSet<String> = TEMPLATES
            .iter()
            .flat_map(|template| template.files.iter().map(|(file, _)| format!("{}/{file}", template.name)))
            .collect();
        assert_eq!(kept, in_templates);
    }

    #[test]
    fn a_folder_needs_a_name_that_a_task_may_have() {
        let directory = tempfile::tempdir().unwrap();
        let template = TEMPLATES.first().unwrap();
        let error = template.create(&directory.path().join("a b")).unwrap_err().to_string();
        assert!(error.contains("becomes the name of the task, and it has the character ' '"), "{error}");
    }
}

//! Tells whether a project's files have changed.

use std::path::Path;
use std::time::SystemTime;

/// The most files that are looked at. A project has fewer; the bound keeps a look short in
/// a folder that is not one.
const FILES_MAX: usize = 10_000;
/// Folders that a build fills. Nobody edits their files.
const BUILD_FOLDERS: [&str; 8] =
    ["target", "node_modules", "build", "dist", "out", "__pycache__", "venv", "wasm"];

/// The state of a project's source files. Two states differ after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SourceState {
    newest: SystemTime,
    /// A deleted file is a change too.
    files: usize,
}

impl SourceState {
    /// Looks at each source file below `folder`. This works in any folder, and several
    /// changes at once count as one.
    pub(super) fn read(folder: &Path, artifact: &Path) -> Self {
        let mut newest = SystemTime::UNIX_EPOCH;
        let mut files = 0;
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                let (path, name) = (entry.path(), entry.file_name());
                let Ok(metadata) = entry.metadata() else { continue };
                let name = name.to_string_lossy();
                if files >= FILES_MAX || name.starts_with('.') || is_built(&path, &name, artifact) {
                    continue;
                }
                if metadata.is_dir() {
                    folders.push(path);
                } else {
                    files += 1;
                    newest = newest.max(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
                }
            }
        }
        Self { newest, files }
    }
}

/// Whether a build makes this file or fills this folder.
fn is_built(path: &Path, name: &str, artifact: &Path) -> bool {
    BUILD_FOLDERS.contains(&name)
        || path == artifact
        || name.ends_with(".wasm")
        || name.ends_with(".lock")
        || name == "package-lock.json"
}

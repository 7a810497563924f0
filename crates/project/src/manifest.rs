//! The manifest `pilum.toml`: the name of a task, how its artifact is built, and its
//! policy.

use crate::ProjectError;
use pilum_types::{Grants, HttpGrant, InstancePolicy, Policy, PolicyLimits, Reuse, TaskName};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The manifest's file name.
pub const MANIFEST: &str = "pilum.toml";
/// The longest manifest, in bytes: far more than anybody writes by hand.
const MANIFEST_MAX_BYTES: u64 = 1 << 20;

/// The content of a manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The folder of the manifest.
    pub directory: PathBuf,
    /// The name of the task.
    pub name: TaskName,
    /// A description for people; may be empty.
    pub description: String,
    /// The author's name for this version; may be empty.
    pub version: String,
    /// The file that the build makes: absolute, or relative to the current directory.
    pub artifact: PathBuf,
    /// How the artifact is built; `None` if something else makes it.
    pub build: Option<Build>,
    /// Limits, instances, environment and grants of the task.
    pub policy: Policy,
}

/// How an artifact is built.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The command, run by `sh -c` in the manifest's folder.
    pub command: String,
    /// Programs that the command needs, each with how to install it.
    #[serde(default)]
    pub needs: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    version: String,
    artifact: PathBuf,
    build: Option<Build>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    instances: Instances,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    grants: DocumentGrants,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    timeout_ms: Option<u64>,
    memory_max_bytes: Option<u64>,
    result_max_bytes: Option<u64>,
    log_max_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Instances {
    reuse: bool,
    reuse_calls_max: Option<u32>,
    reuse_age_max_s: Option<u32>,
    idle_min: u32,
    idle_max: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DocumentGrants {
    config: Option<BTreeMap<String, String>>,
    key_value: bool,
    logging: bool,
    http: Vec<String>,
}

impl Manifest {
    /// Reads the manifest at `path`, which is the file or its folder.
    ///
    /// # Errors
    /// [`ProjectError::NoManifest`], [`ProjectError::Manifest`] or [`ProjectError::Io`].
    pub fn read(path: &Path) -> Result<Self, ProjectError> {
        let path = if path.is_dir() { path.join(MANIFEST) } else { path.to_owned() };
        let size = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ProjectError::NoManifest { path });
            }
            Err(error) => return Err(ProjectError::io(path, error)),
        };
        if size > MANIFEST_MAX_BYTES {
            let reason = format!("has {size} bytes, at most {MANIFEST_MAX_BYTES} are read");
            return Err(ProjectError::Manifest { path, reason });
        }
        let text = std::fs::read_to_string(&path).map_err(|error| ProjectError::io(&path, error))?;
        Self::parse(&text, &path).map_err(|reason| ProjectError::Manifest { path, reason })
    }

    fn parse(text: &str, path: &Path) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| error.to_string().trim().to_owned())?;
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let name = TaskName::parse(&document.name).map_err(|error| format!("name: {error}"))?;
        if document.artifact.as_os_str().is_empty() {
            return Err("artifact: must not be empty".to_owned());
        }
        let Limits { timeout_ms, memory_max_bytes, result_max_bytes, log_max_bytes } = document.limits;
        if [timeout_ms, memory_max_bytes, result_max_bytes, log_max_bytes].contains(&Some(0)) {
            return Err("limits: must not be 0; leave out a key to use the host's limit".to_owned());
        }
        let policy = Policy {
            limits: PolicyLimits {
                timeout: document.limits.timeout_ms.map(Duration::from_millis),
                memory_max_bytes: document.limits.memory_max_bytes,
                result_max_bytes: document.limits.result_max_bytes,
                log_max_bytes: document.limits.log_max_bytes,
            },
            instances: instances(&document.instances)?,
            environment: document.env.into_iter().collect(),
            grants: grants(document.grants)?,
        };
        Ok(Self {
            artifact: directory.join(document.artifact),
            directory,
            name,
            description: document.description,
            version: document.version,
            build: document.build,
            policy,
        })
    }
}

fn instances(instances: &Instances) -> Result<InstancePolicy, String> {
    let Instances { reuse, reuse_calls_max, reuse_age_max_s, idle_min, idle_max } = *instances;
    if !reuse && (reuse_calls_max.is_some() || reuse_age_max_s.is_some()) {
        return Err("instances: reuse_calls_max and reuse_age_max_s need `reuse = true`".to_owned());
    }
    if reuse_calls_max == Some(0) || reuse_age_max_s == Some(0) {
        return Err("instances: reuse_calls_max and reuse_age_max_s must be at least 1".to_owned());
    }
    let most = InstancePolicy::IDLE_MAX_LIMIT;
    let idle_max = idle_max.unwrap_or(InstancePolicy::IDLE_MAX_DEFAULT.max(idle_min));
    if idle_min > idle_max || idle_max > most {
        return Err(format!("instances: idle_min may be at most idle_max, and idle_max at most {most}"));
    }
    let default = Reuse::default();
    let reuse = reuse.then(|| Reuse {
        calls_max: reuse_calls_max.unwrap_or(default.calls_max),
        age_max: reuse_age_max_s.map_or(default.age_max, |seconds| Duration::from_secs(seconds.into())),
    });
    Ok(InstancePolicy { reuse, idle_min, idle_max })
}

fn grants(grants: DocumentGrants) -> Result<Grants, String> {
    let http = grants.http.iter().map(|text| HttpGrant::parse(text));
    Ok(Grants {
        config: grants.config.map(|values| values.into_iter().collect()),
        key_value: grants.key_value,
        logging: grants.logging,
        http: http.collect::<Result<_, _>>().map_err(|error| format!("grants.http: {error}"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Manifest::parse(text, Path::new("f/pilum.toml")).unwrap_err()
    }

    #[test]
    fn every_key_is_read() {
        let text = r#"
            name = "greeter"
            description = "says hello"
            version = "1.2"
            artifact = "out/greeter.wasm"
            [build]
            command = "make"
            needs = { make = "apt install make" }
            [limits]
            timeout_ms = 5000
            memory_max_bytes = 1048576
            [instances]
            reuse = true
            reuse_calls_max = 5
            idle_min = 1
            [env]
            GREETING = "hello"
            [grants]
            key_value = true
            logging = true
            http = ["api.example.com", "*.example.org:8443"]
            [grants.config]
            colour = "blue"
        "#;
        let manifest = Manifest::parse(text, Path::new("f/pilum.toml")).unwrap();
        assert_eq!(manifest.artifact, Path::new("f/out/greeter.wasm"));
        let Policy { limits, instances, environment, grants } = manifest.policy;
        assert_eq!(limits.timeout, Some(Duration::from_secs(5)));
        let reuse = Reuse { calls_max: 5, ..Reuse::default() };
        assert_eq!(instances, InstancePolicy { reuse: Some(reuse), idle_min: 1, idle_max: 8 });
        assert_eq!(*environment, [("GREETING".to_owned(), "hello".to_owned())]);
        assert_eq!(grants.config, Some(vec![("colour".to_owned(), "blue".to_owned())]));
        assert_eq!(
            grants.http.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["api.example.com", "*.example.org:8443"]
        );
    }

    #[test]
    fn errors_name_the_mistake() {
        let rest = "name = \"a\"\nartifact = \"a.wasm\"\n";
        for (text, message) in [
            ("name = \"a\"\nartefact = \"a.wasm\"", "unknown field `artefact`, expected one of `name`"),
            ("name = \"a\"\nartefact = \"a.wasm\"", "line 2"),
            ("", "missing field `name`"),
            ("name = \"a\"", "missing field `artifact`"),
            ("name = \"a b\"\nartifact = \"a.wasm\"", "name: has the character ' '"),
            ("name = 5\nartifact = \"a.wasm\"", "expected a string"),
            (
                &format!("{rest}[limits]\ntimeout = 5"),
                "unknown field `timeout`, expected one of `timeout_ms`",
            ),
            (&format!("{rest}[limits]\ntimeout_ms = -5"), "line 4"),
            (&format!("{rest}[limits]\nlog_max_bytes = 0"), "must not be 0"),
            (&format!("{rest}[instances]\nreuse_calls_max = 5"), "need `reuse = true`"),
            (&format!("{rest}[instances]\nidle_min = 300"), "at most 256"),
            (&format!("{rest}[grants]\nhttp = [\"https://a/\"]"), "without scheme or path"),
            (&format!("{rest}[build]\nneeds = {{}}"), "missing field `command`"),
        ] {
            assert!(error(text).contains(message), "{text:?}: {}", error(text));
        }
    }
}

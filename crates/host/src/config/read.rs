//! Reads the configuration. A mistake is an error that names the key, the place, and the
//! nearest known key.

use super::Config;
use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The prefix of environment variables that set a key.
const PREFIX: &str = "PILUM_";
/// Variables with that prefix that belong to the command line.
const NOT_KEYS: [&str; 2] = ["PILUM_CONFIG", "PILUM_SERVER"];
/// Prefixes of the variables that Kubernetes sets in every container beside a service
/// called `pilum`.
const KUBERNETES_PREFIXES: [&str; 2] = ["PILUM_SERVICE_", "PILUM_PORT"];
/// From which similarity on (0 to 1) a known key is suggested for an unknown one.
const LIKENESS_MIN: f64 = 0.6;

/// A configuration that the host refuses.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("{path}, line {line}: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The mistake.
        message: String,
    },
    /// The key does not exist.
    #[error("{place}: there is no key {key}{hint}")]
    UnknownKey {
        /// The file with its line, or the variable.
        place: String,
        /// The key, `section.key`.
        key: String,
        /// The nearest known key as a question, or an empty text.
        hint: String,
    },
    /// The value is not allowed.
    #[error("{place}: {key} {problem}")]
    Value {
        /// The variable, or the configuration as a whole.
        place: String,
        /// The key, `section.key`.
        key: String,
        /// The mistake, and what is allowed.
        problem: String,
    },
}

/// Values of flags. They win over the file and the environment.
#[derive(Debug, Default)]
pub struct Overrides {
    /// `--grpc-listen`.
    pub grpc_listen: Option<String>,
    /// `--http-listen`.
    pub http_listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--artifact-root`, added to the configured roots.
    pub artifact_roots: Vec<PathBuf>,
}

/// Reads `file` if there is one, then `environment`, then `flags`, and checks every bound.
///
/// # Errors
/// The first mistake, as a [`ConfigError`].
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: Overrides,
) -> Result<Config, ConfigError> {
    let mut table = match file {
        Some(path) => read_file(path)?,
        None => Table::new(),
    };
    let known = known_keys();
    let variables: BTreeMap<_, _> = environment.filter(|(name, _)| may_be_key(name)).collect();
    for (variable, text) in &variables {
        set_from_variable(&mut table, &known, variable, text)?;
    }
    let mut config: Config = table.try_into().map_err(|error: toml::de::Error| ConfigError::Value {
        place: "the environment".to_owned(),
        key: "a value".to_owned(),
        problem: error.message().to_owned(),
    })?;
    config.listen.grpc = flags.grpc_listen.unwrap_or(config.listen.grpc);
    config.listen.http = flags.http_listen.unwrap_or(config.listen.http);
    config.storage.data_dir = flags.data_dir.unwrap_or(config.storage.data_dir);
    config.artifacts.roots.extend(flags.artifact_roots);
    check(&config)?;
    Ok(config)
}

fn may_be_key(variable: &str) -> bool {
    let others =
        NOT_KEYS.contains(&variable) || KUBERNETES_PREFIXES.iter().any(|prefix| variable.starts_with(prefix));
    variable.starts_with(PREFIX) && !others
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    let malformed = |error: &toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        ConfigError::Malformed { path: path.to_owned(), line, message: error.message().to_owned() }
    };
    let table: Table = text.parse().map_err(|error| malformed(&error))?;
    let known = known_keys();
    for (section, content) in &table {
        let keys: Vec<&String> = content.as_table().map(|keys| keys.keys().collect()).unwrap_or_default();
        let unknown = match known.get(section) {
            None => Some(section.clone()),
            Some(known) => {
                keys.into_iter().find(|k| !known.contains_key(*k)).map(|k| format!("{section}.{k}"))
            }
        };
        if let Some(key) = unknown {
            let written = key.rsplit('.').next().unwrap_or(&key);
            let line = text.lines().position(|l| defines(l, written)).map_or(0, |i| i + 1);
            let place = format!("{}, line {line}", path.display());
            return Err(ConfigError::UnknownKey { place, hint: nearest(&known, &key), key });
        }
    }
    // The text is parsed again, because only its own errors know the line.
    toml::from_str::<Config>(&text).map_err(|error| malformed(&error))?;
    Ok(table)
}

/// Whether a line of TOML defines this key or opens this section.
fn defines(line: &str, key: &str) -> bool {
    let line = line.trim_start().trim_start_matches(['[', '"', '\'']);
    line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.', '"', '\'']))
}

/// Every section with its keys and their defaults.
fn known_keys() -> BTreeMap<String, Table> {
    let defaults = Table::try_from(Config::default()).unwrap_or_default();
    defaults.into_iter().filter_map(|(section, keys)| Some((section, keys.as_table()?.clone()))).collect()
}

/// `; did you mean KEY?` for the known key that is most similar, or an empty text.
fn nearest(known: &BTreeMap<String, Table>, key: &str) -> String {
    let full = |section: &String, key: &String| format!("{section}.{key}");
    let keys = known.iter().flat_map(|(section, keys)| keys.keys().map(move |key| full(section, key)));
    let likeness = |candidate: &String| {
        let whole = strsim::jaro_winkler(candidate, key);
        let last = |name: &str| name.rsplit('.').next().map(str::to_owned).unwrap_or_default();
        whole.max(strsim::jaro_winkler(&last(candidate), &last(key)))
    };
    keys.chain(known.keys().cloned())
        .map(|candidate| (likeness(&candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .map_or_else(String::new, |(_, candidate)| format!("; did you mean {candidate}?"))
}

/// Puts the value of `PILUM_SECTION__KEY` into the table. The type of the key's default
/// says how the text is read.
fn set_from_variable(
    table: &mut Table,
    known: &BTreeMap<String, Table>,
    variable: &str,
    text: &str,
) -> Result<(), ConfigError> {
    let name = variable.strip_prefix(PREFIX).unwrap_or(variable).to_ascii_lowercase();
    let (section, key) = name.split_once("__").unwrap_or((&name, ""));
    let place = format!("the variable {variable}");
    let Some(default) = known.get(section).and_then(|keys| keys.get(key)) else {
        let key = name.replacen("__", ".", 1);
        return Err(ConfigError::UnknownKey { place, hint: nearest(known, &key), key });
    };
    let wrong = |expected: &str| ConfigError::Value {
        place: place.clone(),
        key: format!("{section}.{key}"),
        problem: format!("must be {expected}, not {text:?}"),
    };
    let value = match default {
        // All numbers are unsigned.
        Value::Integer(_) => match text.parse::<i64>() {
            Ok(number) if number >= 0 => Value::Integer(number),
            Ok(_) | Err(_) => return Err(wrong("a whole number")),
        },
        Value::Boolean(_) => Value::Boolean(text.parse().map_err(|_| wrong("true or false"))?),
        Value::Array(_) => {
            let items = text.split(',').filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        Value::String(_) | Value::Float(_) | Value::Datetime(_) | Value::Table(_) => {
            Value::String(text.to_owned())
        }
    };
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(keys) = section {
        keys.insert(key.to_owned(), value);
    }
    Ok(())
}

fn check(config: &Config) -> Result<(), ConfigError> {
    let wrong = |key: &str, problem: String| ConfigError::Value {
        place: "the configuration".to_owned(),
        key: key.to_owned(),
        problem,
    };
    for (key, value, min, max) in config.bounds() {
        if !(min..=max).contains(&value) {
            return Err(wrong(key, format!("is {value}; it must be from {min} to {max}")));
        }
    }
    if !["text", "json"].contains(&config.log.format.as_str()) {
        return Err(wrong("log.format", format!("is {:?}; it must be text or json", config.log.format)));
    }
    for (key, address) in [("listen.grpc", &config.listen.grpc), ("listen.http", &config.listen.http)] {
        let addresses: Vec<SocketAddr> = address
            .to_socket_addrs()
            .map_err(|error| wrong(key, format!("is {address:?}, which is no HOST:PORT: {error}")))?
            .collect();
        let public = addresses.iter().any(|address| !address.ip().is_loopback());
        if public && !config.listen.allow_unauthenticated_public {
            let problem = format!(
                "is {address}, which others can reach, and nobody has to prove who they are: listen on \
                 127.0.0.1, or set listen.allow_unauthenticated_public = true if the network is trusted"
            );
            return Err(wrong(key, problem));
        }
    }
    Ok(())
}

//! Everything that can be configured, with its default, its unit in its name
//! and its bounds.
//!
//! One TOML file, `PILUM_SECTION__KEY` environment variables over it, flags
//! over both. See [`load`] for how they are read and how mistakes are told.

mod load;

pub use load::{ConfigError, Overrides, load};

use pilum_execution::{AsyncSettings, Settings, SyncSettings};
use pilum_outbound::Outbound;
use pilum_types::CallLimits;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the sections say what they are")]
pub struct Config {
    pub listen: Listen,
    pub storage: Storage,
    pub artifacts: Artifacts,
    pub sync_execution: SyncExecution,
    pub async_execution: AsyncExecution,
    pub callbacks: Callbacks,
    pub outgoing: Outgoing,
    pub limits: Limits,
    pub engine: EngineSection,
    pub shutdown: Shutdown,
    pub log: Log,
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $ty,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

section! {
    /// `[listen]`: where the host listens. Port 0 takes a free one.
    Listen {
        /// The gRPC listener.
        grpc: String = "127.0.0.1:50052".to_owned(),
        /// The HTTP listener.
        http: String = "127.0.0.1:8081".to_owned(),
        /// Whether to listen beyond loopback although nobody has to prove who they are.
        allow_unauthenticated_public: bool = false,
        /// Connections each listener holds at once; more wait to be accepted.
        max_connections: u64 = 4_096,
    }
}

section! {
    /// `[storage]`: where the host keeps artifacts, native code and executions.
    Storage {
        /// The directory; made if it is not there.
        data_dir: PathBuf = PathBuf::from("pilum-data"),
        /// Asynchronous executions kept on disk; at this size no more are accepted until results expire.
        executions_max_bytes: u64 = 8 << 30,
        /// What one task may keep with `wasi:keyvalue`, keys and values together.
        key_value_task_max_bytes: u64 = 64 << 20,
    }
}

section! {
    /// `[artifacts]`: where artifacts may come from.
    Artifacts {
        /// Directories below which `file:` locations may lie; none allows none.
        roots: Vec<PathBuf> = Vec::new(),
        /// Whether `http(s):` locations may lead to loopback, private and other inner addresses.
        allow_private_addresses: bool = false,
        /// Whether an artifact may come without a checksum; the digest found is pinned.
        allow_missing_checksum: bool = false,
        /// The largest artifact.
        max_bytes: u64 = 32 << 20,
        /// The longest fetch, retries included.
        fetch_timeout_ms: u64 = 30_000,
        /// Artifacts kept on disk; the least recently used go first.
        disk_max_bytes: u64 = 10 << 30,
    }
}

section! {
    /// `[sync_execution]`: calls whose caller waits.
    SyncExecution {
        /// The timeout of a call that names none.
        default_timeout_ms: u64 = 30_000,
        /// The longest timeout a call may name.
        max_timeout_ms: u64 = 300_000,
        /// Calls that run at once.
        max_concurrent_requests: u64 = 100,
        /// How long a call waits for one of them to end before it is refused.
        slot_wait_ms: u64 = 1_000,
        /// Whether failures that another attempt may cure are tried again.
        enable_retries: bool = false,
    }
}

section! {
    /// `[async_execution]`: executions that are accepted and run later.
    AsyncExecution {
        /// The timeout of an attempt whose call names none.
        default_timeout_ms: u64 = 3_600_000,
        /// The longest timeout a call may name.
        max_timeout_ms: u64 = 86_400_000,
        /// Executions that may wait.
        max_queue_size: u64 = 1_000,
        /// Executions that run at once.
        max_concurrent_executions: u64 = 8,
        /// How long a finished execution can be read.
        status_retention_hours: u64 = 24,
        /// How long a dead letter can be read and redriven, if longer than that.
        dead_letter_retention_hours: u64 = 168,
        /// Whether failures that another attempt may cure are tried again.
        enable_retries: bool = true,
        /// Retries a call may ask for, and gets when it names none.
        max_retries: u64 = 3,
    }
}

section! {
    /// `[callbacks]`: telling a URL of an execution's end. They are signed with the
    /// secret in the file `callback-secret` of the data directory.
    Callbacks {
        /// Whether they may lead to loopback, private and other inner addresses.
        allow_private_addresses: bool = false,
    }
}

section! {
    /// `[outgoing]`: requests that functions send, to where their tasks were granted.
    Outgoing {
        /// Whether they may lead to loopback, private and other inner addresses.
        allow_private_addresses: bool = false,
    }
}

section! {
    /// `[limits]`: what one call may use.
    Limits {
        /// Linear memory of an instance.
        memory_max_bytes: u64 = 256 << 20,
        /// Elements of each of an instance's tables, and of all together.
        table_max_elements: u64 = 100_000,
        /// A result, as it stands in the host's memory; responses have at most 16 MiB.
        result_max_bytes: u64 = 8 << 20,
        /// Log lines kept of an execution.
        log_max_bytes: u64 = 1 << 20,
        /// Fuel of a call; 0 leaves calls unmetered, which is faster.
        fuel: u64 = 0,
        /// Tasks a tenant may register.
        max_tasks: u64 = 100_000,
    }
}

section! {
    /// `[engine]`: memory and disk for code.
    EngineSection {
        /// Instances that live at once; 0 takes what the other sections need.
        instance_slots: u64 = 0,
        /// Native code kept in memory.
        code_cache_max_bytes: u64 = 1 << 30,
        /// Native code kept on disk.
        native_cache_max_bytes: u64 = 10 << 30,
    }
}

section! {
    /// `[shutdown]`: how the host ends.
    Shutdown {
        /// How long running executions may take to end after SIGTERM.
        drain_timeout_ms: u64 = 25_000,
    }
}

section! {
    /// `[log]`: the host's own log, on standard error.
    Log {
        /// What to log, in the syntax of tracing's `EnvFilter`.
        filter: String = "info".to_owned(),
        /// `text` or `json`.
        format: String = "text".to_owned(),
    }
}

impl Config {
    /// Every number with its key and its bounds, both inclusive.
    fn bounds(&self) -> [(&'static str, u64, u64, u64); 26] {
        const DAY_MS: u64 = 86_400_000;
        const TIB: u64 = 1 << 40;
        let (sync, queue) = (&self.sync_execution, &self.async_execution);
        [
            ("listen.max_connections", self.listen.max_connections, 1, 1_000_000),
            ("artifacts.max_bytes", self.artifacts.max_bytes, 8, 1 << 30),
            ("artifacts.fetch_timeout_ms", self.artifacts.fetch_timeout_ms, 100, 600_000),
            ("artifacts.disk_max_bytes", self.artifacts.disk_max_bytes, 1 << 20, TIB),
            ("storage.executions_max_bytes", self.storage.executions_max_bytes, 1 << 20, TIB),
            ("storage.key_value_task_max_bytes", self.storage.key_value_task_max_bytes, 1 << 10, TIB),
            ("sync_execution.max_timeout_ms", sync.max_timeout_ms, 1, DAY_MS),
            ("sync_execution.default_timeout_ms", sync.default_timeout_ms, 1, sync.max_timeout_ms),
            ("sync_execution.max_concurrent_requests", sync.max_concurrent_requests, 1, 10_000),
            ("sync_execution.slot_wait_ms", sync.slot_wait_ms, 0, 60_000),
            ("async_execution.max_timeout_ms", queue.max_timeout_ms, 1, 7 * DAY_MS),
            ("async_execution.default_timeout_ms", queue.default_timeout_ms, 1, queue.max_timeout_ms),
            ("async_execution.max_queue_size", queue.max_queue_size, 1, 10_000_000),
            ("async_execution.max_concurrent_executions", queue.max_concurrent_executions, 1, 10_000),
            ("async_execution.status_retention_hours", queue.status_retention_hours, 1, 24 * 365),
            ("async_execution.dead_letter_retention_hours", queue.dead_letter_retention_hours, 1, 24 * 365),
            ("async_execution.max_retries", queue.max_retries, 0, 100),
            ("limits.memory_max_bytes", self.limits.memory_max_bytes, 64 << 10, 4 << 30),
            ("limits.table_max_elements", self.limits.table_max_elements, 1, 10_000_000),
            ("limits.result_max_bytes", self.limits.result_max_bytes, 1 << 10, 12 << 20),
            ("limits.log_max_bytes", self.limits.log_max_bytes, 0, 64 << 20),
            ("limits.max_tasks", self.limits.max_tasks, 1, 10_000_000),
            ("engine.instance_slots", self.engine.instance_slots, 0, 20_000),
            ("engine.code_cache_max_bytes", self.engine.code_cache_max_bytes, 1 << 20, TIB),
            ("engine.native_cache_max_bytes", self.engine.native_cache_max_bytes, 1 << 20, TIB),
            ("shutdown.drain_timeout_ms", self.shutdown.drain_timeout_ms, 0, DAY_MS),
        ]
    }

    /// Instances that can live at once: every slot of both kinds of calls.
    pub fn instance_slots(&self) -> u32 {
        let needed =
            self.sync_execution.max_concurrent_requests + self.async_execution.max_concurrent_executions;
        let slots = if self.engine.instance_slots == 0 { needed } else { self.engine.instance_slots };
        u32::try_from(slots).unwrap_or(u32::MAX)
    }

    /// The part that executions live under.
    pub fn execution_settings(&self) -> Settings {
        let ms = Duration::from_millis;
        // Bounded above by `bounds`, so nothing is lost where usize is 64 bits.
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (sync, queue, limits) = (&self.sync_execution, &self.async_execution, &self.limits);
        Settings {
            sync: SyncSettings {
                default_timeout: ms(sync.default_timeout_ms),
                max_timeout: ms(sync.max_timeout_ms),
                max_concurrent_requests: count(sync.max_concurrent_requests),
                slot_wait: ms(sync.slot_wait_ms),
                enable_retries: sync.enable_retries,
            },
            asynchronous: AsyncSettings {
                default_timeout: ms(queue.default_timeout_ms),
                max_timeout: ms(queue.max_timeout_ms),
                max_queue_size: count(queue.max_queue_size),
                max_concurrent_executions: count(queue.max_concurrent_executions),
                status_retention: Duration::from_secs(queue.status_retention_hours * 3600),
                dead_letter_retention: Duration::from_secs(queue.dead_letter_retention_hours * 3600),
                enable_retries: queue.enable_retries,
                max_retries: u32::try_from(queue.max_retries).unwrap_or(u32::MAX),
            },
            limits: CallLimits {
                timeout: ms(sync.default_timeout_ms),
                memory_max_bytes: limits.memory_max_bytes,
                table_max_elements: limits.table_max_elements,
                result_max_bytes: limits.result_max_bytes,
                log_max_bytes: limits.log_max_bytes,
                fuel: (limits.fuel > 0).then_some(limits.fuel),
            },
            max_tasks: count(limits.max_tasks),
            check_callback: if self.callbacks.allow_private_addresses {
                |url| Outbound::check(url, true).map_err(|error| error.to_string())
            } else {
                |url| Outbound::check(url, false).map_err(|error| error.to_string())
            },
        }
    }
}

#[cfg(test)]
mod tests;

//! Everything that can be configured: each key with its default, its unit in its
//! name, and its bounds.
//!
//! The values come from one TOML file, from `PILUM_SECTION__KEY` environment variables
//! over it, and from flags over both. [`load`] reads them and reports mistakes.
//! `docs/configuration.md` is written from the comments in this file (`make
//! config-docs`), and a test fails where the two differ.

mod read;

pub use read::{ConfigError, Overrides, load};

use pilum_execution::{AsyncSettings, Settings, SyncSettings};
use pilum_outbound::Outbound;
use pilum_types::CallLimits;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each section's type has the documentation")]
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

/// A section: a struct with its defaults, and its comments for the reference.
macro_rules! section {
    ($(#[doc = $doc:literal])* $name:ident {
        $($(#[doc = $field_doc:literal])* $field:ident: $ty:ty = $default:expr,)*
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name { $($(#[doc = $field_doc])* pub $field: $ty,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        #[cfg(test)]
        impl $name {
            const COMMENTS: reference::Section = reference::Section {
                lines: &[$($doc,)*],
                keys: &[$((stringify!($field), &[$($field_doc,)*]),)*],
            };
        }
    };
}

section! {
    /// Where the host listens. The address must be on loopback, unless
    /// `allow_unauthenticated_public` is set. Port 0 takes a free port, which the line
    /// `pilum ready` on standard output tells.
    Listen {
        /// Address of the gRPC listener, as `HOST:PORT`.
        grpc: String = "127.0.0.1:50052".to_owned(),
        /// Address of the HTTP listener, as `HOST:PORT`.
        http: String = "127.0.0.1:8081".to_owned(),
        /// Whether the host may listen on addresses beyond loopback. Nobody has to prove
        /// who they are, so set it only on a network that you trust.
        allow_unauthenticated_public: bool = false,
        /// Open connections of each listener. When all are taken, the oldest connection
        /// that has sent nothing yet makes room; if all have sent something, the new
        /// connection is closed. Keep it below the process's limit of open files.
        max_connections: u64 = 4_096,
    }
}

section! {
    /// Where the host keeps artifacts, native code, executions and the values of functions.
    Storage {
        /// The data directory. The host makes it if it is not there, and locks it: two
        /// hosts cannot share one.
        data_dir: PathBuf = PathBuf::from("pilum-data"),
        /// Size of the used pages of the file of executions and tasks. At this size, new
        /// asynchronous executions are refused until results expire; results of accepted
        /// executions are still written.
        executions_max_bytes: u64 = 8 << 30,
        /// What one task may keep with `wasi:keyvalue`: names of buckets, keys and values,
        /// and 128 bytes for each entry.
        key_value_task_max_bytes: u64 = 64 << 20,
    }
}

section! {
    /// Where artifacts may come from, and how large they may be.
    Artifacts {
        /// Directories that `file:` locations may lead into. With none, every `file:`
        /// location is refused. `--artifact-root` adds to them; in the environment
        /// variable, a comma separates them.
        roots: Vec<PathBuf> = Vec::new(),
        /// Whether `http:` and `https:` locations may lead to loopback, private and other
        /// addresses that are not public.
        allow_private_addresses: bool = false,
        /// Whether an artifact may come without a checksum. The digest that is found is
        /// then pinned for the task.
        allow_missing_checksum: bool = false,
        /// The largest artifact.
        max_bytes: u64 = 32 << 20,
        /// The longest fetch, with all its retries and pauses.
        fetch_timeout_ms: u64 = 30_000,
        /// Artifacts kept on disk. Beyond it, the least recently used artifact that no
        /// task refers to is deleted.
        disk_max_bytes: u64 = 10 << 30,
    }
}

section! {
    /// Calls whose caller waits for the result: SYNC, STREAM and HTTP.
    SyncExecution {
        /// Timeout of a call when neither the call nor the task's policy names one.
        default_timeout_ms: u64 = 30_000,
        /// The longest timeout that a call may ask for.
        max_timeout_ms: u64 = 300_000,
        /// Calls that run at the same time. Each holds one slot.
        max_concurrent_requests: u64 = 100,
        /// How long a call waits for a free slot before it is refused with
        /// RESOURCE_EXHAUSTED.
        slot_wait_ms: u64 = 1_000,
        /// Whether a failed attempt is followed by another one, where that may help. The
        /// number of retries is bounded by `async_execution.max_retries`.
        enable_retries: bool = false,
    }
}

section! {
    /// Executions that are accepted now and run later.
    AsyncExecution {
        /// Timeout of each attempt when neither the call nor the task's policy names one.
        default_timeout_ms: u64 = 3_600_000,
        /// The longest timeout that a call may ask for.
        max_timeout_ms: u64 = 86_400_000,
        /// Executions that may wait. Beyond it, new ones are refused with
        /// RESOURCE_EXHAUSTED.
        max_queue_size: u64 = 1_000,
        /// Executions that run at the same time.
        max_concurrent_executions: u64 = 8,
        /// How long a finished execution can be read.
        status_retention_hours: u64 = 24,
        /// How long a dead letter can be read and redriven; at least
        /// `status_retention_hours`, even if it says less.
        dead_letter_retention_hours: u64 = 168,
        /// Whether a failed attempt is followed by another one, where that may help.
        enable_retries: bool = true,
        /// The most retries that a call may ask for, and the number that it gets when it
        /// names none.
        max_retries: u64 = 3,
    }
}

section! {
    /// Requests that tell a URL that an execution has ended. They are signed with the
    /// secret in the file `callback-secret` of the data directory.
    Callbacks {
        /// Whether callbacks may go to loopback, private and other addresses that are not
        /// public.
        allow_private_addresses: bool = false,
    }
}

section! {
    /// Requests that functions send with `wasi:http/outgoing-handler`, to the hosts that
    /// their tasks were granted.
    Outgoing {
        /// Whether these requests may go to loopback, private and other addresses that are
        /// not public.
        allow_private_addresses: bool = false,
    }
}

section! {
    /// What one call may use. The policy of a task can lower memory, result and log.
    Limits {
        /// All linear memories of an instance together.
        memory_max_bytes: u64 = 256 << 20,
        /// Elements of each table of an instance, and of all its tables together.
        table_max_elements: u64 = 100_000,
        /// A result, as it is held in the host's memory. A response message has at most
        /// 16 MiB.
        result_max_bytes: u64 = 8 << 20,
        /// Log lines that are kept of one execution.
        log_max_bytes: u64 = 1 << 20,
        /// Fuel of a call. With 0, calls are not metered, which makes them faster.
        fuel: u64 = 0,
        /// Tasks that may be registered.
        max_tasks: u64 = 100_000,
    }
}

section! {
    /// Memory and disk for native code and instances.
    EngineSection {
        /// Instances that live at the same time. With 0, it is the sum of
        /// `sync_execution.max_concurrent_requests` and
        /// `async_execution.max_concurrent_executions`.
        instance_slots: u64 = 0,
        /// Native code kept in memory. Beyond it, the least recently used goes.
        code_cache_max_bytes: u64 = 1 << 30,
        /// Native code kept on disk. Beyond it, the least recently used goes.
        native_cache_max_bytes: u64 = 10 << 30,
    }
}

section! {
    /// How the host ends.
    Shutdown {
        /// How long running executions may take to end after SIGTERM or ctrl-c. Those that
        /// have not ended by then are stopped; asynchronous ones run again at the next
        /// start.
        drain_timeout_ms: u64 = 25_000,
    }
}

section! {
    /// The host's own log, on standard error.
    Log {
        /// Which events are logged, in the syntax of `EnvFilter` of the Rust crate
        /// `tracing-subscriber`: a level (`info`), or levels for targets
        /// (`info,pilum_execution=debug`).
        filter: String = "info".to_owned(),
        /// `text` or `json`.
        format: String = "text".to_owned(),
    }
}

impl Config {
    /// Every bounded number with its key, and the smallest and the largest value that it
    /// may have.
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

    /// Instances that can live at the same time: as configured, or one for each call that
    /// can run.
    pub fn instance_slots(&self) -> u32 {
        let needed =
            self.sync_execution.max_concurrent_requests + self.async_execution.max_concurrent_executions;
        let slots = if self.engine.instance_slots == 0 { needed } else { self.engine.instance_slots };
        u32::try_from(slots).unwrap_or(u32::MAX)
    }

    /// The settings of the execution layer.
    pub fn execution_settings(&self) -> Settings {
        let ms = Duration::from_millis;
        // `bounds` keeps these small enough for a 64-bit usize.
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
mod reference;
#[cfg(test)]
mod tests;

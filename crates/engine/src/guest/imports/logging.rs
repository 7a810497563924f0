//! `wasi:logging`: lines in the execution's log.

use crate::guest::Guest;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};
use wasmtime::{Result, StoreContextMut};

/// The versions in use.
const INTERFACES: [&str; 2] = ["wasi:logging/logging@0.1.0-draft", "wasi:logging/logging"];

/// How much a line matters.
#[derive(Debug, Clone, Copy, ComponentType, Lift, Lower)]
#[expect(dead_code, reason = "only guests make them")]
#[component(enum)]
#[repr(u8)]
enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    for interface in INTERFACES {
        linker.instance(interface)?.func_wrap(
            "log",
            |mut store: StoreContextMut<'_, Guest>, (level, context, message): (Level, String, String)| {
                let place = if context.is_empty() { String::new() } else { format!("{context}: ") };
                store.data_mut().log(&format!("{} {place}{message}", level.as_str()));
                Ok(())
            },
        )?;
    }
    Ok(())
}

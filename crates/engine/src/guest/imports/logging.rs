//! `wasi:logging`: lines in the execution's log.

use crate::guest::imports::grant::Grant;
use crate::guest::imports::logging::bindings::wasi;
use crate::guest::imports::logging::bindings::wasi::logging0_1_0_draft::logging::Level;
use crate::guest::state::Guest;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

/// What the engine knows of this grant.
pub(super) const GRANT: Grant = Grant {
    package: "wasi:logging/",
    manifest_entry: "[grants] logging = true",
    is_given: |grants| grants.logging,
    add_to_linker,
};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/logging.wit",
        interfaces: "
            import wasi:logging/logging@0.1.0-draft;
            import wasi:logging/logging;
        ",
    });
}

impl wasi::logging0_1_0_draft::logging::Host for Guest {
    fn log(&mut self, level: Level, context: String, message: String) {
        write(self, level, &context, &message);
    }
}

impl wasi::logging::logging::Host for Guest {
    fn log(&mut self, level: Level, context: String, message: String) {
        write(self, level, &context, &message);
    }
}

fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    wasi::logging0_1_0_draft::logging::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    wasi::logging::logging::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

fn write(guest: &mut Guest, level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Trace => "TRACE",
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
        Level::Critical => "CRITICAL",
    };
    if context.is_empty() {
        guest.log(&format!("{level} {message}"));
    } else {
        guest.log(&format!("{level} {context}: {message}"));
    }
}

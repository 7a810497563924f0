//! Reads how a guest ended.

use crate::guest::Guest;
use pilum_types::{CallLimits, Failure, FailureCode};
use std::fmt::Write as _;
use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// What the epoch callback stops a guest with.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the deadline has passed")]
pub(crate) struct DeadlinePassed;

/// The failure of a call that ran out of time.
pub(crate) fn deadline(limits: &CallLimits) -> Failure {
    let message = format!("the call did not end within its timeout of {} ms", limits.timeout.as_millis());
    Failure::new(FailureCode::DeadlineExceeded, message)
}

/// The failure of a call whose result is over its bound.
pub(crate) fn result_too_large(limits: &CallLimits) -> Failure {
    let message = format!("the result has more than {} bytes, which is its bound", limits.result_max_bytes);
    Failure::new(FailureCode::ResultTooLarge, message)
}

/// The failure that `error` means. An exit with code 0 is none: the guest ended well.
pub(crate) fn read(error: &wasmtime::Error, guest: &Guest, limits: &CallLimits) -> Option<Failure> {
    if error.is::<DeadlinePassed>() {
        return Some(deadline(limits));
    }
    let failure = if let Some(I32Exit(code)) = error.downcast_ref() {
        if *code == 0 {
            return None;
        }
        Failure::new(FailureCode::GuestExit, format!("the command ended with exit code {code}"))
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        let message = format!("{trap}{}", backtrace(error));
        Failure::new(code_of(*trap), message)
    } else {
        Failure::new(FailureCode::HostError, format!("{error:#}"))
    };
    // A guest that was refused memory and then gave up, gave up because of it,
    // whichever way its language's runtime ends: abort, panic or exit code.
    if guest.limiter.refused() && failure.code != FailureCode::FuelExhausted {
        let message = format!(
            "the guest needed more than its {} bytes of memory or {} table elements; it ended with: {}",
            limits.memory_max_bytes, limits.table_max_elements, failure.message
        );
        return Some(Failure::new(FailureCode::MemoryLimit, message));
    }
    Some(failure)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "wasmtime adds traps; any new one is TRAP_OTHER")]
fn code_of(trap: Trap) -> FailureCode {
    match trap {
        Trap::UnreachableCodeReached => FailureCode::TrapUnreachable,
        Trap::MemoryOutOfBounds | Trap::TableOutOfBounds | Trap::ArrayOutOfBounds => {
            FailureCode::TrapOutOfBounds
        }
        Trap::StackOverflow => FailureCode::TrapStackOverflow,
        Trap::IntegerDivisionByZero => FailureCode::TrapIntegerDivideByZero,
        Trap::OutOfFuel => FailureCode::FuelExhausted,
        _ => FailureCode::TrapOther,
    }
}

/// The wasm frames, innermost first, one a line.
fn backtrace(error: &wasmtime::Error) -> String {
    let mut text = String::new();
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return text };
    for (i, frame) in backtrace.frames().iter().enumerate() {
        let name = frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), demangled);
        let _ = write!(text, "\n  {i}: {name}");
    }
    text
}

/// The name as its author wrote it, if that was Rust; `{:#}` leaves out the hash.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

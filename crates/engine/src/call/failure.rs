//! What the end of a guest means: the failure of its call, if it is one.

use crate::error::DeadlinePassed;
use crate::guest::state::Guest;
use pilum_types::{CallLimits, Failure, FailureCode};
use std::fmt::Write as _;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

/// The text of wasmtime's error, whose type is private, when more is lifted out of a
/// guest than the hostcall fuel allows.
const HOSTCALL_FUEL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Longest function name in a backtrace, in bytes. A hostile name demangles to a million
/// bytes.
const NAME_MAX_BYTES: usize = 256;
/// Longest message of a failure, in bytes. People read it, and it is kept as long as its
/// execution.
const MESSAGE_MAX_BYTES: usize = 64 << 10;

/// A text that stops its writer once it has `max_bytes` bytes.
struct Clipped {
    text: String,
    max_bytes: usize,
}

/// The failure of a call that did not end in time.
pub(crate) fn deadline(limits: &CallLimits) -> Failure {
    let message = format!("the call did not end within its timeout of {} ms", limits.timeout.as_millis());
    Failure::new(FailureCode::DeadlineExceeded, message)
}

/// The failure of a call whose result is too large.
pub(crate) fn result_too_large(limits: &CallLimits) -> Failure {
    let message = format!("the result has more than {} bytes, which is its bound", limits.result_max_bytes);
    Failure::new(FailureCode::ResultTooLarge, message)
}

/// The failure that `error` means. `None` if the guest ended with exit code 0, which is
/// no failure.
pub(crate) fn of(error: &wasmtime::Error, guest: &Guest, limits: &CallLimits) -> Option<Failure> {
    if error.is::<DeadlinePassed>() {
        return Some(deadline(limits));
    }
    if is_result_too_large(error) {
        return Some(result_too_large(limits));
    }
    let failure = if let Some(I32Exit(code)) = error.downcast_ref() {
        if *code == 0 {
            return None;
        }
        Failure::new(FailureCode::GuestExit, format!("the command ended with exit code {code}"))
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        let message = format!("{trap}{}", backtrace(error));
        Failure::new(code_of(*trap), message)
    } else if error.is::<PoolConcurrencyLimitError>() || error.is::<std::io::Error>() {
        Failure::new(FailureCode::HostError, format!("{error:#}"))
    } else {
        // The guest broke a rule of WASI or of the component model: it used a pointer out
        // of bounds, a result of another type, or a handle that it does not have. That is
        // a trap, although wasmtime has no code for it.
        let message = format!("{}{}", error.root_cause(), backtrace(error));
        Failure::new(FailureCode::TrapOther, message)
    };
    // A guest that was refused memory and then gave up did so because of the refusal. Its
    // language decides how it gives up: by an abort, a panic or an exit code.
    let gave_up = matches!(
        failure.code,
        FailureCode::TrapUnreachable
            | FailureCode::TrapOutOfBounds
            | FailureCode::TrapOther
            | FailureCode::GuestExit
    );
    if guest.limiter.refused() && gave_up {
        let message = format!(
            "the guest needed more than its {} bytes of memory or {} table elements; it ended with: {}",
            limits.memory_max_bytes, limits.table_max_elements, failure.message
        );
        return Some(Failure::new(FailureCode::MemoryLimit, message));
    }
    Some(failure)
}

/// `text`, cut where it is longer than a message may be.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MESSAGE_MAX_BYTES {
        text.truncate(text.floor_char_boundary(MESSAGE_MAX_BYTES));
        text.push_str("… (cut)");
    }
    text
}

/// Whether a result was too large to lift. The same error in a host call comes with a
/// backtrace of the guest; that is a trap.
fn is_result_too_large(error: &wasmtime::Error) -> bool {
    error.downcast_ref::<WasmBacktrace>().is_none()
        && error.root_cause().to_string().contains(HOSTCALL_FUEL_EXHAUSTED)
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

/// The guest's frames, one in each line, the innermost first.
fn backtrace(error: &wasmtime::Error) -> String {
    let mut text = String::new();
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return text };
    for (i, frame) in backtrace.frames().iter().enumerate() {
        let name = frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), demangled);
        let _ = write!(text, "\n  {i}: {name}");
    }
    text
}

/// The name as its author wrote it, if it is a name of Rust. Names come from the
/// artifact, so they are cut, and control characters are escaped so that a name cannot
/// forge a line.
fn demangled(name: &str) -> String {
    let mut text = Clipped { text: String::new(), max_bytes: NAME_MAX_BYTES };
    // `{:#}` leaves out the hash at the end of a name.
    let whole = write!(text, "{:#}", rustc_demangle::demangle(name)).is_ok();
    let shown = text.text.chars().flat_map(|c| {
        let escaped = c.is_control().then(|| c.escape_default());
        escaped.clone().into_iter().flatten().chain(escaped.is_none().then_some(c))
    });
    let end = if whole { "" } else { "…" };
    shown.chain(end.chars()).collect()
}

impl std::fmt::Write for Clipped {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        let room = self.max_bytes - self.text.len();
        self.text.push_str(more.get(..more.floor_char_boundary(room)).unwrap_or_default());
        if more.len() > room { Err(std::fmt::Error) } else { Ok(()) }
    }
}

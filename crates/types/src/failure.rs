//! Why an execution failed, as stable codes, and whether a retry may help.

use crate::State;
use std::fmt;

/// Why an execution ended without a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable code. Clients may match on it.
    pub code: FailureCode,
    /// What happened, for people. After a trap it has the wasm backtrace.
    pub message: String,
}

/// Whether another attempt of the same call may end differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryClass {
    /// The same code with the same input fails in the same way.
    Never,
    /// The guest reported an error itself, or the host failed. Another attempt may succeed.
    Maybe,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $state:ident, $class:ident;)*) => {
        /// Stable failure codes. On the wire they are `ExecutionResult.error_code`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FailureCode { $($(#[$doc])* $variant,)* }

        impl FailureCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as clients see it, in upper case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The terminal state of an execution with this failure.
            pub const fn state(self) -> State {
                match self { $(Self::$variant => State::$state,)* }
            }

            /// Whether another attempt may help.
            pub const fn retry_class(self) -> RetryClass {
                match self { $(Self::$variant => RetryClass::$class,)* }
            }
        }
    };
}

codes! {
    /// The guest executed `unreachable`; a Rust panic with `panic = "abort"` ends here.
    TrapUnreachable = "TRAP_UNREACHABLE", Failed, Never;
    /// A memory or table access out of bounds.
    TrapOutOfBounds = "TRAP_OUT_OF_BOUNDS", Failed, Never;
    /// The guest used up its call stack.
    TrapStackOverflow = "TRAP_STACK_OVERFLOW", Failed, Never;
    /// An integer division by zero.
    TrapIntegerDivideByZero = "TRAP_INTEGER_DIVIDE_BY_ZERO", Failed, Never;
    /// Any other trap; the message names it.
    TrapOther = "TRAP_OTHER", Failed, Never;
    /// The guest needed more memory or table elements than its limits allow.
    MemoryLimit = "MEMORY_LIMIT", Failed, Never;
    /// The guest used up its fuel.
    FuelExhausted = "FUEL_EXHAUSTED", Failed, Never;
    /// A command ended with an exit code other than 0.
    GuestExit = "GUEST_EXIT", Failed, Maybe;
    /// A typed function returned `err`.
    GuestError = "GUEST_ERROR", Failed, Maybe;
    /// The result is larger than the limit.
    ResultTooLarge = "RESULT_TOO_LARGE", Failed, Never;
    /// The host itself failed the call.
    HostError = "HOST_ERROR", Failed, Maybe;
    /// The worker that ran the execution stopped without a result.
    WorkerLost = "WORKER_LOST", Failed, Maybe;
    /// The call did not end within its timeout.
    DeadlineExceeded = "DEADLINE_EXCEEDED", Timeout, Never;
    /// A client cancelled the execution, or its caller went away.
    Cancelled = "CANCELLED", Cancelled, Never;
}

impl Failure {
    /// A failure with its message.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_ends_in_a_terminal_state_that_is_not_success() {
        for code in FailureCode::ALL {
            assert!(code.state().is_terminal(), "{code}");
            assert_ne!(code.state(), State::Completed, "{code}");
        }
    }
}

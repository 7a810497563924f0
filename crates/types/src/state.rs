//! The state machine of an execution. [`State::after`] makes every transition; no other
//! code computes a state.

use std::fmt;

/// The state of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// The execution was accepted and waits.
    Pending,
    /// An attempt runs.
    Running,
    /// The execution ended with a result.
    Completed,
    /// The execution ended with a failure.
    Failed,
    /// The execution ended because it was cancelled.
    Cancelled,
    /// The execution ended because its time was over.
    Timeout,
}

/// An event that changes the state of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An attempt begins.
    Start,
    /// The attempt returned a result.
    Complete,
    /// The attempt failed, and no other attempt follows.
    Fail,
    /// The execution is cancelled.
    Cancel,
    /// The time of the execution is over.
    Expire,
    /// The attempt is over, and another attempt follows.
    Requeue,
}

/// The event cannot happen to an execution in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to an execution that is {state}")]
pub struct IllegalTransition {
    /// The state of the execution.
    pub state: State,
    /// The event.
    pub event: Event,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Cancelled, Self::Timeout];

    /// The state after `event`.
    ///
    /// # Errors
    /// When the event cannot happen in this state. Terminal states are final.
    pub const fn after(self, event: Event) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Pending, Event::Start) => Ok(Self::Running),
            (Self::Running, Event::Requeue) => Ok(Self::Pending),
            (Self::Running, Event::Complete) => Ok(Self::Completed),
            (Self::Running, Event::Fail) => Ok(Self::Failed),
            (Self::Pending | Self::Running, Event::Cancel) => Ok(Self::Cancelled),
            (Self::Pending | Self::Running, Event::Expire) => Ok(Self::Timeout),
            (state, event) => Err(IllegalTransition { state, event }),
        }
    }

    /// Whether the state is final.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Timeout)
    }

    /// The name as clients see it, in upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Timeout => "TIMEOUT",
        }
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 6] =
        [Self::Start, Self::Complete, Self::Fail, Self::Cancel, Self::Expire, Self::Requeue];

    /// The event that leads to the terminal state `state`; `None` for a state that is not
    /// terminal.
    pub const fn ending_in(state: State) -> Option<Self> {
        match state {
            State::Completed => Some(Self::Complete),
            State::Failed => Some(Self::Fail),
            State::Cancelled => Some(Self::Cancel),
            State::Timeout => Some(Self::Expire),
            State::Pending | State::Running => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::*;

    /// Every pair of state and event, against a table written by hand.
    #[test]
    fn every_pair() {
        let table = [
            (Pending, [Some(Running), None, None, Some(Cancelled), Some(Timeout), None]),
            (Running, [None, Some(Completed), Some(Failed), Some(Cancelled), Some(Timeout), Some(Pending)]),
            (Completed, [None; 6]),
            (Failed, [None; 6]),
            (Cancelled, [None; 6]),
            (Timeout, [None; 6]),
        ];
        for (state, afters) in table {
            for (event, after) in Event::ALL.into_iter().zip(afters) {
                assert_eq!(state.after(event).ok(), after, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn no_event_leaves_a_terminal_state() {
        for state in State::ALL {
            let leaves = Event::ALL.iter().any(|event| state.after(*event).is_ok());
            assert_eq!(state.is_terminal(), !leaves, "{state}");
            assert_eq!(state.is_terminal(), Event::ending_in(state).is_some());
        }
    }
}

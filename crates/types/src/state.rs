//! The state machine of an execution. [`State::after`] is the one function that
//! makes transitions; everything that moves an execution calls it.

use std::fmt;

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Accepted, not yet running.
    Pending,
    /// An attempt is under way.
    Running,
    /// Ended with a result.
    Completed,
    /// Ended with a failure.
    Failed,
    /// Ended because somebody cancelled it.
    Cancelled,
    /// Ended because its time was up.
    Timeout,
}

/// What happens to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// An attempt begins.
    Start,
    /// The attempt returned a result.
    Complete,
    /// The attempt failed for good.
    Fail,
    /// Somebody cancelled it.
    Cancel,
    /// Its time is up.
    Expire,
    /// The attempt is over, another will follow.
    Requeue,
}

/// An event that cannot happen to an execution in that state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to an execution that is {state}")]
pub struct IllegalTransition {
    /// The state it is in.
    pub state: State,
    /// The event that was tried.
    pub event: Event,
}

impl State {
    /// Every state there is.
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

    /// Whether nothing more can happen.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Timeout)
    }

    /// The name as it travels, upper case.
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
    /// Every event there is.
    pub const ALL: [Self; 6] =
        [Self::Start, Self::Complete, Self::Fail, Self::Cancel, Self::Expire, Self::Requeue];

    /// The event that ends an execution in the terminal state `state`; `None`
    /// for a state that is no end.
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
    fn terminal_states_are_those_that_nothing_leaves() {
        for state in State::ALL {
            let leaves = Event::ALL.iter().any(|event| state.after(*event).is_ok());
            assert_eq!(state.is_terminal(), !leaves, "{state}");
            assert_eq!(state.is_terminal(), Event::ending_in(state).is_some());
        }
    }
}

//! Runs generated sequences of callers' actions against a host in paused time, and checks the
//! state of each execution after each action.

use crate::testing::fake::{TestHost, call, parameter, sleep};
use crate::{CancelResult, Invocation, Schedule};
use pilum_types::{ExecutionId, Priority, RetryClass, State, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// One action of a caller.
#[derive(Debug, Clone)]
enum Action {
    /// Submits a call of a function, with a priority, a delay and a deadline.
    Submit { function: u8, priority: u8, delay_ms: u16, deadline_ms: u16 },
    /// Cancels one of the submitted executions.
    Cancel { which: u8, force: bool },
    /// Redrives one of the submitted executions, if it is a dead letter.
    Redrive { which: u8 },
    /// Makes the next runs of `flaky` fail, this many times.
    FailFlaky { times: u8 },
    /// Lets time pass.
    PassTime { ms: u16 },
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        4 => (0..4_u8, 0..4_u8, 0..500_u16, 0..2_000_u16).prop_map(|(function, priority, delay_ms, deadline_ms)| {
            Action::Submit { function, priority, delay_ms, deadline_ms }
        }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(which, force)| Action::Cancel { which, force }),
        1 => any::<u8>().prop_map(|which| Action::Redrive { which }),
        1 => (0..6_u8).prop_map(|times| Action::FailFlaky { times }),
        3 => (1..400_u16).prop_map(|ms| Action::PassTime { ms }),
    ];
    proptest::collection::vec(action, 1..60)
}

fn invocation(host: &TestHost, action: &Action) -> Option<Invocation> {
    let Action::Submit { function, priority, delay_ms, deadline_ms } = *action else { return None };
    let now = host.executions.ctx().clock.now();
    let after = |ms: u16| Some(now + Duration::from_millis(ms.into()));
    let schedule = Schedule {
        priority: Priority::ALL[usize::from(priority)],
        // Most of the executions have no delay and no deadline.
        not_before: if delay_ms < 100 { None } else { after(delay_ms) },
        deadline: if deadline_ms < 1_000 { None } else { after(deadline_ms) },
    };
    let base = match function {
        0 => Invocation { parameters: vec![parameter(Value::Signed(1))], ..call("echo") },
        1 => sleep(150),
        2 => Invocation { max_retries: Some(2), ..call("flaky") },
        _ => call("trap"),
    };
    Some(Invocation { schedule, ..base })
}

/// The executions, and the last known state and number of attempts of each.
#[derive(Default)]
struct Model {
    ids: Vec<ExecutionId>,
    last: BTreeMap<ExecutionId, (State, usize)>,
}

impl Model {
    fn pick(&self, which: u8) -> Option<&ExecutionId> {
        self.ids.get(usize::from(which) % self.ids.len().max(1))
    }

    /// Reads every execution and compares it with its last known state.
    async fn check(&mut self, host: &TestHost) {
        for id in &self.ids {
            let now = host.get(id).await.expect("an accepted execution is found");
            let attempts = now.attempts.len();
            let (then, before) =
                self.last.insert(id.clone(), (now.state, attempts)).unwrap_or((State::Pending, 0));
            assert!(!then.is_terminal() || then == now.state, "{id} left {then} for {}", now.state);
            assert!(attempts >= before, "{id} lost an attempt");
            assert!(attempts <= 4, "{id} has {attempts} attempts");
            assert_eq!(now.state.is_terminal(), now.outcome.is_some() && now.completed_at.is_some(), "{id}");
            let may_retry = now.failure().is_some_and(|f| f.code.retry_class() == RetryClass::Maybe);
            assert!(!now.is_dead_letter || (now.state == State::Failed && may_retry), "{id}");
            let unfinished = now.attempts.iter().filter(|attempt| attempt.took.is_none()).count();
            assert_eq!(unfinished, usize::from(now.state == State::Running), "{id} is {}", now.state);
        }
    }
}

async fn apply(host: &TestHost, model: &mut Model, action: &Action) {
    match action {
        Action::Submit { .. } => {
            let invocation = invocation(host, action).expect("the action is a submission");
            let before = host.executions.ctx().clock.now();
            if let Ok(crate::Reply::Pending { execution, .. }) =
                host.invoke(Invocation { mode: crate::Mode::Async, ..invocation }).await
            {
                assert!(execution.accepted_at >= before);
                model.ids.push(execution.id.clone());
            }
        }
        Action::Cancel { which, force } => {
            let Some(id) = model.pick(*which).cloned() else { return };
            let cancelled =
                host.executions.cancellation().cancel(&Default::default(), &id, "", *force).await.unwrap();
            let now = host.get(&id).await.unwrap().state;
            match cancelled {
                CancelResult::Done => assert_eq!(now, State::Cancelled),
                CancelResult::AlreadyEnded(state) => assert_eq!(now, state),
                CancelResult::NeedsForce => assert!(!force),
                CancelResult::Unknown => panic!("{id} is unknown"),
            }
        }
        Action::Redrive { which } => {
            let Some(id) = model.pick(*which).cloned() else { return };
            let was_dead = host.get(&id).await.unwrap().is_dead_letter;
            if let Ok(new_id) = host.executions.dead_letters().redrive(&Default::default(), &id).await {
                assert_eq!(new_id.is_some(), was_dead, "{id}");
                model.ids.extend(new_id);
            }
        }
        Action::FailFlaky { times } => host.fake.failures.store((*times).into(), SeqCst),
        Action::PassTime { ms } => tokio::time::sleep(Duration::from_millis((*ms).into())).await,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_execution_ends_once_after_any_actions(actions in actions()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let host = TestHost::new();
            let mut model = Model::default();
            for action in &actions {
                apply(&host, &mut model, action).await;
                model.check(&host).await;
            }
            // No execution takes longer than its retries and its schedule.
            for id in &model.ids.clone() {
                let timeout = Duration::from_secs(600);
                let end = host.executions.query().wait(&Default::default(), id, timeout).await.unwrap();
                assert!(end.is_some_and(|end: Arc<_>| end.state.is_terminal()), "{id} does not end");
            }
            model.check(&host).await;
            // A worker reports an end before it has freed everything.
            tokio::time::sleep(Duration::from_secs(1)).await;
            host.assert_nothing_held();
            let stats = host.executions.query().stats().await.unwrap();
            let ended = stats.completed + stats.failed + stats.cancelled + stats.timed_out;
            assert_eq!((ended, stats.pending, stats.running), (model.ids.len() as u64, 0, 0));
        });
    }
}

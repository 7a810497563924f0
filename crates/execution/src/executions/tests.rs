//! Whole hosts under generated sequences of what callers do, in paused time,
//! against what may become of an execution.

use crate::testing::fake::{Rig, call, parameter, sleep};
use crate::{CancelResult, Invocation, Schedule};
use pilum_types::{ExecutionId, Priority, RetryClass, State, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

/// What a caller does.
#[derive(Debug, Clone)]
enum Act {
    /// Submits a call: of which function, how urgent, put off by how much, of no
    /// use after how long.
    Submit { function: u8, priority: u8, delay_ms: u16, deadline_ms: u16 },
    /// Cancels one of what was submitted.
    Cancel { which: u8, force: bool },
    /// Redrives one of it, should it be a dead letter.
    Redrive { which: u8 },
    /// Has `flaky` fail so often from now on.
    Break { times: u8 },
    /// Lets time pass.
    Pass { ms: u16 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..4_u8, 0..4_u8, 0..500_u16, 0..2_000_u16).prop_map(|(function, priority, delay_ms, deadline_ms)| {
            Act::Submit { function, priority, delay_ms, deadline_ms }
        }),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(which, force)| Act::Cancel { which, force }),
        1 => any::<u8>().prop_map(|which| Act::Redrive { which }),
        1 => (0..6_u8).prop_map(|times| Act::Break { times }),
        3 => (1..400_u16).prop_map(|ms| Act::Pass { ms }),
    ];
    proptest::collection::vec(act, 1..60)
}

fn invocation(rig: &Rig, act: &Act) -> Option<Invocation> {
    let Act::Submit { function, priority, delay_ms, deadline_ms } = *act else { return None };
    let now = rig.executions.ctx().clock.now();
    let ahead = |ms: u16| Some(now + Duration::from_millis(ms.into()));
    let schedule = Schedule {
        priority: Priority::ALL[usize::from(priority)],
        // Few of the sequences should be about nothing but time.
        not_before: if delay_ms < 100 { None } else { ahead(delay_ms) },
        deadline: if deadline_ms < 1_000 { None } else { ahead(deadline_ms) },
    };
    let base = match function {
        0 => Invocation { parameters: vec![parameter(Value::Signed(1))], ..call("echo") },
        1 => sleep(150),
        2 => Invocation { max_retries: Some(2), ..call("flaky") },
        _ => call("trap"),
    };
    Some(Invocation { schedule, ..base })
}

/// What was last seen of each execution.
#[derive(Default)]
struct Model {
    ids: Vec<ExecutionId>,
    seen: BTreeMap<ExecutionId, (State, usize)>,
}

impl Model {
    fn pick(&self, which: u8) -> Option<&ExecutionId> {
        self.ids.get(usize::from(which) % self.ids.len().max(1))
    }

    /// Looks at every execution and compares with what was seen before.
    async fn look(&mut self, rig: &Rig) {
        for id in &self.ids {
            let now = rig.get(id).await.expect("what was accepted is known");
            let attempts = now.attempts.len();
            let (then, before) =
                self.seen.insert(id.clone(), (now.state, attempts)).unwrap_or((State::Pending, 0));
            assert!(!then.is_terminal() || then == now.state, "{id} left {then} for {}", now.state);
            assert!(attempts >= before, "{id} lost an attempt");
            assert!(attempts <= 4, "{id} has {attempts} attempts");
            assert_eq!(now.state.is_terminal(), now.outcome.is_some() && now.completed_at.is_some(), "{id}");
            let curable = now.failure().is_some_and(|f| f.code.retry_class() == RetryClass::Maybe);
            assert!(!now.is_dead_letter || (now.state == State::Failed && curable), "{id}");
            let unfinished = now.attempts.iter().filter(|attempt| attempt.took.is_none()).count();
            assert_eq!(unfinished, usize::from(now.state == State::Running), "{id} is {}", now.state);
        }
    }
}

async fn act(rig: &Rig, model: &mut Model, act: &Act) {
    match act {
        Act::Submit { .. } => {
            let invocation = invocation(rig, act).expect("it is one");
            let before = rig.executions.ctx().clock.now();
            if let Ok(crate::Reply::Pending { execution, .. }) =
                rig.invoke(Invocation { mode: crate::Mode::Async, ..invocation }).await
            {
                assert!(execution.accepted_at >= before);
                model.ids.push(execution.id.clone());
            }
        }
        Act::Cancel { which, force } => {
            let Some(id) = model.pick(*which).cloned() else { return };
            let cancelled =
                rig.executions.cancellation().cancel(&Default::default(), &id, "", *force).await.unwrap();
            let now = rig.get(&id).await.unwrap().state;
            match cancelled {
                CancelResult::Done => assert_eq!(now, State::Cancelled),
                CancelResult::AlreadyEnded(state) => assert_eq!(now, state),
                CancelResult::NeedsForce => assert!(!force),
                CancelResult::Unknown => panic!("{id} is unknown"),
            }
        }
        Act::Redrive { which } => {
            let Some(id) = model.pick(*which).cloned() else { return };
            let was_dead = rig.get(&id).await.unwrap().is_dead_letter;
            if let Ok(anew) = rig.executions.dead_letters().redrive(&Default::default(), &id).await {
                assert_eq!(anew.is_some(), was_dead, "{id}");
                model.ids.extend(anew);
            }
        }
        Act::Break { times } => rig.fake.failures.store((*times).into(), SeqCst),
        Act::Pass { ms } => tokio::time::sleep(Duration::from_millis((*ms).into())).await,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_callers_do_every_execution_comes_to_one_end(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let rig = Rig::new();
            let mut model = Model::default();
            for one in &acts {
                act(&rig, &mut model, one).await;
                model.look(&rig).await;
            }
            // Nothing takes longer than its retries and its schedule.
            for id in &model.ids.clone() {
                let patience = Duration::from_secs(600);
                let end = rig.executions.query().wait(&Default::default(), id, patience).await.unwrap();
                assert!(end.is_some_and(|end: Arc<_>| end.state.is_terminal()), "{id} does not end");
            }
            model.look(&rig).await;
            // The last end may be told before its worker has let go.
            tokio::time::sleep(Duration::from_secs(1)).await;
            rig.assert_idle();
            let stats = rig.executions.query().stats().await.unwrap();
            let ended = stats.completed + stats.failed + stats.cancelled + stats.timed_out;
            assert_eq!((ended, stats.pending, stats.running), (model.ids.len() as u64, 0, 0));
        });
    }
}

//! Promises about when executions run, and about what happens after their end.

use super::*;

pub async fn hands_back_attempts_that_have_not_begun(store: &impl Store) {
    for id in ["a", "b"] {
        submit(store, submission(id), 0).await;
    }
    let lease = claim(store, 5).await;
    let execution = store.hand_back(&lease.fence, at(6)).await.unwrap();
    assert_eq!((execution.state, execution.attempts.len(), execution.started_at), (State::Pending, 0, None));
    assert!(is_lease_lost(&store.renew(&lease.fence, at(7), LEASE).await));
    let again = store.claim(at(8), LEASE, 2).await.unwrap().leases;
    let attempts: Vec<_> = again.iter().map(|l| (l.submission.id.as_str(), l.attempt)).collect();
    assert_eq!(attempts.len(), 2);
    assert!(attempts.contains(&("a", 1)) && attempts.contains(&("b", 1)), "{attempts:?}");

    assert!(again.iter().all(|l| l.fence.number != lease.fence.number || l.fence.token > lease.fence.token));
    assert!(
        is_lease_lost(&store.finish(&lease.fence, completed(), at(8)).await),
        "the first claim stays invalid"
    );

    // An attempt that has begun stays in the list of attempts.
    let of = |id: &str| again.iter().find(|lease| lease.submission.id.as_str() == id).unwrap();
    store.retry_later(&of("a").fence, failure(FailureCode::HostError).into(), at(9), at(9)).await.unwrap();
    let second = claim(store, 10).await;
    store.hand_back(&second.fence, at(11)).await.unwrap();
    let execution = get(store, "a").await;
    assert_eq!((execution.attempts.len(), execution.started_at), (1, Some(at(8))));
}

pub async fn gives_priorities_their_shares(store: &impl Store) {
    let with = |id: String, priority| Submission {
        schedule: Schedule { priority, ..Schedule::default() },
        ..submission(&id)
    };
    for number in 0..50 {
        for priority in Priority::ALL {
            submit(store, with(format!("{priority}-{number}"), priority), 0).await;
        }
    }
    let urgent = get(store, "urgent-0").await;
    assert_eq!((urgent.priority, urgent.queue_position), (Priority::Urgent, Some(1)));
    assert!(
        get(store, "low-9").await.queue_position.unwrap()
            > get(store, "high-9").await.queue_position.unwrap()
    );
    let first = store.claim(at(1), LEASE, 85).await.unwrap().leases;
    let count = |priority| first.iter().filter(|l| l.submission.schedule.priority == priority).count();
    let counts = Priority::ALL.map(count);
    let [low, normal, high, urgent] = counts;
    assert!(low >= 1 && low < normal && normal < high && high < urgent, "{counts:?}");
    assert_eq!(first.len(), 85);

    let due = Schedule { not_before: Some(at(500)), ..Schedule::default() };
    submit(store, Submission { schedule: due, ..submission("later") }, 2).await;
    let rest = store.claim(at(499), LEASE, MANY).await.unwrap();
    assert!(rest.leases.iter().all(|lease| lease.submission.id.as_str() != "later"));
    assert_eq!(rest.next_due, Some(at(500)));
    assert_eq!(claim(store, 500).await.submission.id, execution_id("later"));
}

pub async fn times_out_executions_that_cannot_meet_their_deadline(store: &impl Store) {
    let due = Schedule { deadline: Some(at(1_000)), ..Schedule::default() };
    let admission = Admission { expected: Duration::from_millis(400), ..admission(MANY) };
    for id in ["a", "b", "c"] {
        let submission = Submission { schedule: due, ..submission(id) };
        store.submit(submission, admission, at(0)).await.unwrap();
    }
    let lease = claim(store, 600).await;
    assert_eq!(lease.submission.id, execution_id("a"), "it can still end in time");
    store.retry_later(&lease.fence, failure(FailureCode::HostError).into(), at(601), at(700)).await.unwrap();
    let claimed = store.claim(at(700), LEASE, MANY).await.unwrap();
    assert_eq!((claimed.leases.len(), claimed.changed.len()), (0, 3));
    for (id, attempts) in [("a", 1), ("b", 0), ("c", 0)] {
        let execution = get(store, id).await;
        assert_eq!((execution.state, execution.attempts.len()), (State::Timeout, attempts), "{id}");
        assert_eq!(execution.failure().map(|f| f.code), Some(FailureCode::DeadlineExceeded));
        assert!(!execution.is_dead_letter);
    }
}

pub async fn leases_one_poison_execution_at_a_time(store: &impl Store) {
    for id in ["a", "b", "c"] {
        submit(store, Submission { max_retries: 9, ..submission(id) }, 0).await;
    }
    for lost in 0..u64::from(LOST_WORKERS_MAX) - 1 {
        let claimed = store.claim(at(30_000 * lost), LEASE, 2).await.unwrap();
        assert_eq!(claimed.leases.len(), 2);
    }
    // Two workers were lost with each of a and b: only one of the two runs at a time.
    let claimed = store.claim(at(60_000), LEASE, MANY).await.unwrap();
    let mut ids: Vec<_> = claimed.leases.iter().map(|l| l.submission.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!((ids.len(), ids.contains(&"c")), (2, true), "{ids:?}");
    let poison = claimed.leases.iter().find(|l| l.submission.id.as_str() != "c").unwrap();
    claim_none(store, 60_001).await;
    store.finish(&poison.fence, completed(), at(60_002)).await.unwrap();
    let other = claim(store, 60_003).await;
    assert_ne!(other.submission.id, poison.submission.id);
    assert_eq!(other.attempt, LOST_WORKERS_MAX);
}

/// Makes an execution fail with a failure that another run might not have.
async fn fail(store: &impl Store, id: &str) {
    submit(store, submission(id), 0).await;
    let lease = claim(store, 5).await;
    let execution = store.finish(&lease.fence, outcome(Err(failure(FailureCode::GuestError))), at(10)).await;
    assert!(execution.unwrap().is_dead_letter);
}

async fn dead_letters(store: &impl Store) -> String {
    let query = ListQuery { dead_letters: true, limit: MANY, ..ListQuery::default() };
    let found = store.list(&tenant(), &query).await.unwrap();
    assert_eq!(found.len(), store.stats().await.unwrap().dead_letters);
    found.iter().map(|listed| listed.id.as_str()).collect()
}

pub async fn keeps_dead_letters(store: &impl Store) {
    for id in ["c", "a", "b"] {
        fail(store, id).await;
    }
    submit(store, submission("trap"), 20).await;
    let lease = claim(store, 21).await;
    store.finish(&lease.fence, outcome(Err(failure(FailureCode::TrapOther))), at(22)).await.unwrap();
    assert_eq!(dead_letters(store).await, "abc", "a failure that would repeat makes no dead letter");
    assert!(get(store, "a").await.is_dead_letter);

    let discard = async |id: &str| store.discard_dead_letter(&tenant(), &execution_id(id)).await.unwrap();
    assert!(discard("b").await);
    assert!(!discard("b").await && !discard("trap").await && !discard("none").await);
    let execution = get(store, "b").await;
    assert_eq!(
        (execution.state, execution.is_dead_letter),
        (State::Failed, false),
        "the execution itself does not change"
    );
    assert_eq!(dead_letters(store).await, "ac");

    let day = Duration::from_secs(24 * 3600);
    let (now, expiry) = (at(10) + 2 * day, Expiry { ended_before: at(1_000), dead_letters_before: at(10) });
    assert_eq!(
        store.expire(expiry, now, MANY).await.unwrap(),
        2,
        "b and trap; dead letters are stored longer"
    );
    assert_eq!(dead_letters(store).await, "ac");
    let expiry = Expiry { dead_letters_before: at(11), ..expiry };
    assert_eq!(store.expire(expiry, now, MANY).await.unwrap(), 2);
    assert_eq!(dead_letters(store).await, "");
}

pub async fn redrives_a_dead_letter_under_one_id(store: &impl Store) {
    fail(store, "a").await;
    let redrive = async |id: &str, new_id: &str| {
        store.redrive_dead_letter(&tenant(), &execution_id(id), &execution_id(new_id)).await.unwrap()
    };
    assert!(redrive("none", "x").await.is_none());
    let redriven = redrive("a", "x").await.unwrap();
    assert_eq!(redriven, Submission { id: execution_id("x"), ..submission("a") });
    assert_eq!(redrive("a", "y").await.unwrap().id, execution_id("x"), "the first id is kept");
    assert_eq!(dead_letters(store).await, "a", "it stays a dead letter until it is discarded");
    store.discard_dead_letter(&tenant(), &execution_id("a")).await.unwrap();
    assert!(redrive("a", "x").await.is_none());
}

pub async fn keeps_client_supplied_ids_for_24_hours(store: &impl Store) {
    submit(store, submission("a"), 0).await;
    let lease = claim(store, 5).await;
    store.finish(&lease.fence, completed(), at(10)).await.unwrap();
    let hour = Duration::from_secs(3600);
    let expiry = Expiry { ended_before: at(1_000), dead_letters_before: at(1_000) };
    assert_eq!(store.expire(expiry, at(0) + hour, MANY).await.unwrap(), 1);
    assert!(store.get(&tenant(), &execution_id("a")).await.unwrap().is_none(), "the result is removed");
    assert!(cancel(store, "a").await.is_none());
    let all = ListQuery { limit: MANY, ..ListQuery::default() };
    assert!(store.list(&tenant(), &all).await.unwrap().is_empty());
    let again = store.submit(submission("a"), admission(MANY), at(0) + 2 * hour).await.unwrap();
    assert!(matches!(again, SubmitResult::Existing(e) if e.state == State::Completed && e.outcome.is_none()));
    let other = Submission { max_retries: 7, ..submission("a") };
    let other = store.submit(other, admission(MANY), at(0) + 2 * hour).await.unwrap();
    assert!(matches!(other, SubmitResult::Conflict));
    store.expire(expiry, at(0) + 25 * hour, MANY).await.unwrap();
    let free = store.submit(submission("a"), admission(MANY), at(0) + 25 * hour).await.unwrap();
    assert!(matches!(free, SubmitResult::New { .. }), "{free:?}");
}

pub async fn makes_callbacks_due(store: &impl Store) {
    let url: Arc<str> = "https://example.com/done".into();
    let submission = Submission { callback: Some(Arc::clone(&url)), ..submission("a") };
    submit(store, submission, 0).await;
    let due = async |ms| store.due_callbacks(at(ms), MANY).await.unwrap();
    assert!(due(0).await.callbacks.is_empty());
    let lease = claim(store, 5).await;
    store.finish(&lease.fence, completed(), at(10)).await.unwrap();
    assert_eq!(store.stats().await.unwrap().callbacks, 1);
    let first = due(10).await.callbacks.pop().unwrap();
    assert_eq!((&first.url, first.tries, first.execution.state), (&url, 0, State::Completed));
    assert!(due(11).await.callbacks.is_empty(), "the callback is under delivery");
    store.postpone_callback(first.number, 1, at(500)).await.unwrap();
    let idle = due(499).await;
    assert_eq!((idle.callbacks.len(), idle.next_due), (0, Some(at(500))));
    let second = due(500).await.callbacks.pop().unwrap();
    assert_eq!(second.tries, 1);
    store.remove_callback(second.number).await.unwrap();
    assert!(due(1_000_000).await.callbacks.is_empty());
    assert_eq!(store.stats().await.unwrap().callbacks, 0);
}

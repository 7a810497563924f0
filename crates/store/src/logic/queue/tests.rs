//! The order of the queue, its shares and its positions.

use super::*;
use std::time::{Duration, UNIX_EPOCH};

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn waiting(number: u64) -> Waiting {
    Waiting {
        number,
        tenant: TenantId::default(),
        priority: Priority::Normal,
        not_before: None,
        latest_start: None,
        to_front: false,
        poison: false,
    }
}

fn drain(queue: &mut Queue) -> Vec<u64> {
    std::iter::from_fn(|| queue.pop(at(0), true)).map(|waiting| waiting.number).collect()
}

fn assert_empty(queue: &Queue) {
    assert_eq!(queue.len(), 0);
    assert!(queue.tenants.is_empty() && queue.delayed.is_empty() && queue.latest_starts.is_empty());
    assert_eq!((queue.turns.next(), queue.poison.len(), queue.next_due(at(0))), (None, 0, None));
}

#[test]
fn executions_run_in_the_order_in_which_they_joined_and_retries_first() {
    let mut queue = Queue::default();
    for number in 0..5 {
        queue.push(waiting(number), at(0));
    }
    assert_eq!(queue.pop(at(0), true).unwrap().number, 0);
    queue.push(Waiting { to_front: true, ..waiting(0) }, at(0));
    queue.remove(2);
    assert!(queue.remove(2).is_none());
    let positions = [0, 1, 3, 4].map(|number| queue.position(number).unwrap());
    assert_eq!((positions, queue.position(2)), ([1, 2, 3, 4], None));
    assert_eq!(drain(&mut queue), [0, 1, 3, 4]);
    assert_empty(&queue);
}

#[test]
fn priorities_get_their_shares_and_none_starves() {
    let mut queue = Queue::default();
    for number in 0..400 {
        let priority = Priority::ALL[number as usize % 4];
        queue.push(Waiting { priority, ..waiting(number) }, at(0));
    }
    let first: Vec<u64> = drain(&mut queue).into_iter().take(85).collect();
    let started = |priority: usize| first.iter().filter(|number| **number as usize % 4 == priority).count();
    let shares = [0, 1, 2, 3].map(started);
    for (starts, weight) in shares.into_iter().zip(Priority::ALL.map(Priority::weight)) {
        assert!(starts.abs_diff(weight as usize) <= 1, "{shares:?}");
    }
    assert_empty(&queue);
}

#[test]
fn a_lane_that_is_empty_after_each_start_does_not_starve_the_others() {
    let mut queue = Queue::default();
    for number in 0..1_000 {
        queue.push(waiting(number), at(0));
        queue.push(Waiting { tenant: tenant("b"), ..waiting(10_000 + number) }, at(0));
    }
    let (mut normal, mut other) = (0, 0);
    for number in 2_000..2_340 {
        queue.push(Waiting { priority: Priority::Urgent, ..waiting(number) }, at(0));
        let started = queue.pop(at(0), true).unwrap();
        normal += u32::from(started.number < 1_000);
        other += u32::from(started.number >= 10_000);
    }
    assert!((150..=190).contains(&other), "half of the starts are the other tenant's: {other}");
    assert!((5..=20).contains(&normal), "a seventeenth of the rest is normal: {normal}");
    let mut single = Queue::default();
    let mut started = [0_u32; 2];
    for number in 0..100 {
        single.push(waiting(number), at(0));
    }
    for number in 200..300 {
        single.push(Waiting { tenant: tenant("one-at-a-time"), ..waiting(number) }, at(0));
        started[usize::from(single.pop(at(0), true).unwrap().number >= 200)] += 1;
    }
    assert!(started[0].abs_diff(started[1]) <= 2, "{started:?}");
}

#[test]
fn an_urgent_execution_runs_before_those_that_wait() {
    let mut queue = Queue::default();
    for number in 0..100 {
        queue.push(waiting(number), at(0));
    }
    for _ in 0..50 {
        queue.pop(at(0), true);
    }
    queue.push(Waiting { priority: Priority::Urgent, ..waiting(200) }, at(0));
    let position = queue.position(200).unwrap();
    let order = drain(&mut queue);
    assert_eq!(position, 1);
    assert!(order.iter().position(|number| *number == 200).unwrap() <= 1, "{order:?}");
}

#[test]
fn tenants_get_their_shares_however_much_they_submit() {
    let mut queue = Queue::default();
    queue.set_share(tenant("c"), 2);
    for number in 0..1_000 {
        queue.push(Waiting { tenant: tenant("noisy"), ..waiting(number) }, at(0));
    }
    for number in 1_000..1_010 {
        queue.push(Waiting { tenant: tenant("b"), ..waiting(number) }, at(0));
        queue.push(Waiting { tenant: tenant("c"), ..waiting(number + 1_000) }, at(0));
    }
    // Before it: nine of its own tenant, and ten of each other tenant.
    assert_eq!(queue.position(1_009), Some(9 + 10 + 10 + 1));
    let order = drain(&mut queue);
    let place = |number| order.iter().position(|other| *other == number).unwrap();
    assert!(place(1_009) <= 30, "{}", place(1_009));
    assert!(place(2_009) <= 20 + 5, "{}", place(2_009));
    assert_empty(&queue);
}

#[test]
fn a_tenant_gains_no_turns_while_it_is_absent() {
    let mut queue = Queue::default();
    for number in 0..100 {
        queue.push(waiting(number), at(0));
    }
    for _ in 0..50 {
        queue.pop(at(0), true);
    }
    for number in 100..200 {
        queue.push(Waiting { tenant: tenant("late"), ..waiting(number) }, at(0));
    }
    let next: Vec<u64> = (0..20).map(|_| queue.pop(at(0), true).unwrap().number).collect();
    let late = next.iter().filter(|number| **number >= 100).count();
    assert!((9..=11).contains(&late), "{next:?}");
}

#[test]
fn a_delayed_execution_does_not_hold_up_others() {
    let mut queue = Queue::default();
    queue.push(Waiting { not_before: Some(at(10)), ..waiting(1) }, at(0));
    queue.push(Waiting { not_before: Some(at(5)), ..waiting(2) }, at(0));
    assert_eq!((queue.len(), queue.position(1), queue.next_due(at(0))), (2, None, Some(at(5))));
    queue.push(waiting(3), at(0));
    assert_eq!(queue.pop(at(4), true).unwrap().number, 3);
    assert!(queue.pop(at(4), true).is_none());
    assert_eq!(queue.pop(at(5), true).unwrap().number, 2);
    assert!(queue.remove(1).is_some());
    assert_empty(&queue);
}

#[test]
fn an_execution_that_cannot_end_in_time_is_taken_out() {
    let mut queue = Queue::default();
    for number in 1..=3 {
        queue.push(Waiting { latest_start: Some(at(number)), ..waiting(number) }, at(0));
    }
    assert!(queue.pop_late(at(1)).is_none(), "it may still start now");
    assert!(queue.next_due(at(1)).unwrap() > at(1));
    assert_eq!(queue.pop_late(at(2)).unwrap().number, 1);
    assert_eq!(queue.pop(at(2), true).unwrap().number, 2);
    assert_eq!(queue.pop_late(at(9)).unwrap().number, 3);
    assert_empty(&queue);
}

#[test]
fn poison_executions_run_one_at_a_time() {
    let mut queue = Queue::default();
    for number in 1..=2 {
        queue.push(Waiting { poison: true, to_front: true, ..waiting(number) }, at(0));
    }
    queue.push(waiting(3), at(0));
    assert_eq!(queue.pop(at(0), true).unwrap().number, 1);
    assert_eq!(queue.pop(at(0), false).unwrap().number, 3);
    assert!(queue.pop(at(0), false).is_none());
    assert_eq!(queue.position(2), Some(1));
    assert_eq!(queue.pop(at(0), true).unwrap().number, 2);
    assert_empty(&queue);
}

//! Tests of the registry alone. `resolve/tests.rs` tests it with calls.

use super::*;
use crate::testing::fake::{digest, spec};
use pilum_types::State;
use std::time::{Duration, UNIX_EPOCH};

fn task(name: &str, location: &str) -> Task {
    let spec = spec(name, location);
    let id = TaskId::parse(&format!("id-{name}-{location}").replace(':', "_")).unwrap();
    Task::new(id, TenantId::default(), spec, digest(location), UNIX_EPOCH)
}

fn names(registry: &Registry<()>, prefix: &str, start_after: &str, limit: usize) -> Vec<String> {
    let views = registry.list(&TenantId::default(), prefix, start_after, limit);
    views.iter().map(|view| view.task.spec.name.as_str().to_owned()).collect()
}

fn register(registry: &Registry<()>, name: &str) -> Arc<TaskEntry<()>> {
    let reservation = registry.reserve(task(name, "file:a")).unwrap();
    reservation.register();
    Arc::clone(&reservation.entry)
}

#[test]
fn a_reserved_task_is_found_only_by_workers_until_it_is_registered() {
    let registry = Registry::<()>::new(9);
    let tenant = TenantId::default();
    let reservation = registry.reserve(task("a", "file:a")).unwrap();
    let id = reservation.entry.task.id.clone();
    assert!(registry.get(&tenant, &id).is_none());
    assert!(registry.named(&tenant, "a").is_none());
    assert!(names(&registry, "", "", 9).is_empty());
    assert!(registry.get_reserved(&tenant, &id).is_some());
    reservation.register();
    assert!(registry.get(&tenant, &id).is_some());
    assert!(registry.named(&tenant, "a").is_some());
    drop(reservation);
    assert_eq!(names(&registry, "", "", 9), ["a"]);
    assert!(registry.get(&TenantId::parse("b").unwrap(), &id).is_none());
}

#[test]
fn a_task_is_removed_if_no_reservation_registers_it() {
    let registry = Registry::<()>::new(1);
    let first = registry.reserve(task("a", "file:a")).unwrap();
    let second = registry.reserve(task("a", "file:a-copy")).unwrap();
    assert!(Arc::ptr_eq(&first.entry, &second.entry), "the same name and code is the same task");
    drop(first);
    assert_eq!(registry.len(), 1, "the second reservation still holds the task");
    drop(second);
    assert_eq!(registry.len(), 0);
    // One of two reservations registers the task.
    let first = registry.reserve(task("a", "file:a")).unwrap();
    let second = registry.reserve(task("a", "file:a")).unwrap();
    first.register();
    drop((first, second));
    assert_eq!(registry.len(), 1);
}

#[test]
fn a_dropped_reservation_registers_its_task_on_request() {
    let registry = Registry::<()>::new(1);
    let mut reservation = registry.reserve(task("a", "file:a")).unwrap();
    reservation.register_on_drop(true);
    reservation.register_on_drop(false);
    drop(reservation);
    assert!(names(&registry, "", "", 9).is_empty());
    let mut reservation = registry.reserve(task("a", "file:a")).unwrap();
    reservation.register_on_drop(true);
    drop(reservation);
    assert_eq!(names(&registry, "", "", 9), ["a"]);
}

#[test]
fn other_code_under_a_taken_name_or_id_is_refused() {
    let registry = Registry::<()>::new(9);
    register(&registry, "a");
    let other = registry.reserve(task("a", "file:b"));
    assert!(matches!(other, Err(RequestError::NameTaken { existing, offered, .. })
        if existing == digest("file:a") && offered == digest("file:b")));
    let same_id = Task { id: task("a", "file:a").id, ..task("z", "file:b") };
    assert!(
        matches!(registry.reserve(same_id), Err(RequestError::NameTaken { name, .. }) if name.as_str() == "a")
    );
    assert_eq!(registry.len(), 1);
}

#[test]
fn the_tasks_of_each_tenant_are_bounded() {
    let registry = Registry::<()>::new(2);
    register(&registry, "a");
    let b = register(&registry, "b");
    let full = |name: &str| {
        matches!(registry.reserve(task(name, "file:a")), Err(RequestError::TooManyTasks { max: 2 }))
    };
    assert!(full("c"));
    assert!(!full("a"), "a registered task can be reserved again");
    let other_tenants = Task { tenant: TenantId::parse("b").unwrap(), ..task("c", "file:a") };
    assert!(registry.reserve(other_tenants).is_ok());
    assert!(registry.remove(&b));
    assert!(b.is_deleted());
    assert!(!registry.remove(&b), "a task is removed once");
    assert!(!full("c"));
}

#[test]
fn tasks_are_listed_by_prefix_and_in_pages() {
    let registry = Registry::<()>::new(9);
    for name in ["b2", "a1", "b1", "b3", "c"] {
        register(&registry, name);
    }
    assert_eq!(names(&registry, "", "", 9), ["a1", "b1", "b2", "b3", "c"]);
    assert_eq!(names(&registry, "b", "", 2), ["b1", "b2"]);
    assert_eq!(names(&registry, "b", "b2", 2), ["b3"]);
    assert_eq!(names(&registry, "b", "b", 1), ["b1"]);
    assert_eq!(names(&registry, "b", "a", 1), ["b1"]);
    assert!(names(&registry, "b", "c", 9).is_empty());
    assert!(names(&registry, "", "", 0).is_empty());
}

#[test]
fn a_view_shows_the_latest_end() {
    let entry = register(&Registry::<()>::new(1), "a");
    let view = entry.view();
    assert_eq!((view.execution_count, view.last_state, view.updated_at), (0, None, UNIX_EPOCH));
    let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
    entry.count_admitted();
    entry.count_ended(State::Timeout, at(20));
    entry.count_ended(State::Completed, at(10));
    let view = entry.view();
    assert_eq!((view.execution_count, view.last_state, view.updated_at), (1, Some(State::Timeout), at(20)));
    for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
        entry.count_ended(state, at(30));
        entry.count_ended(state, at(31));
    }
    assert_eq!(entry.view().updated_at, at(31));
}

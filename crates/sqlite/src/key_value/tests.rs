//! The values of functions in a real file.

use super::*;
use tempfile::TempDir;

const BUCKET: &str = "b";

fn open(max_bytes: u64) -> (TempDir, KeyValues) {
    let directory = tempfile::tempdir().unwrap();
    let values = KeyValues::open(directory.path(), max_bytes).unwrap();
    (directory, values)
}

fn task(id: &str) -> String {
    id.to_owned()
}

async fn get(values: &KeyValues, namespace: &str, key: &str) -> Option<Vec<u8>> {
    values.get(task(namespace), BUCKET.into(), vec![key.into()]).await.unwrap().pop().unwrap()
}

async fn set(values: &KeyValues, namespace: &str, key: &str, value: &[u8]) -> Result<(), KeyValueError> {
    values.set(task(namespace), BUCKET.into(), vec![(key.into(), value.to_vec())]).await
}

#[tokio::test]
async fn values_survive_a_restart_and_belong_to_one_task() {
    let (directory, values) = open(1_000);
    set(&values, "one", "k", b"v").await.unwrap();
    drop(values);
    let values = KeyValues::open(directory.path(), 1_000).unwrap();
    assert_eq!(get(&values, "one", "k").await.as_deref(), Some(b"v".as_slice()));
    assert_eq!(get(&values, "two", "k").await, None);
    values.remove_namespace(task("one")).await.unwrap();
    assert_eq!(get(&values, "one", "k").await, None);
}

#[tokio::test]
async fn the_values_of_a_task_are_bounded_in_bytes() {
    let (_directory, values) = open(228);
    set(&values, "one", "k", &[0; 98]).await.unwrap();
    let full = set(&values, "one", "l", b"").await.unwrap_err();
    insta::assert_snapshot!(full, @"the values of the task would exceed 228 bytes, which is their bound; delete some first");
    set(&values, "two", "k", &[0; 98]).await.unwrap();
    // A value of the same size replaces the old one, so the bytes stay the same.
    set(&values, "one", "k", &[1; 98]).await.unwrap();
    values.delete(task("one"), BUCKET.into(), vec!["k".into(), "none".into()]).await.unwrap();
    set(&values, "one", "l", &[0; 98]).await.unwrap();
    let long = set(&values, "one", &"k".repeat(2_000), b"").await.unwrap_err();
    insta::assert_snapshot!(long, @"a key has 2000 bytes, at most 1024 are allowed");
}

#[tokio::test]
async fn one_operation_sets_all_of_its_keys_or_none() {
    let (_directory, values) = open(228);
    let pairs = vec![("a".into(), vec![0; 10]), ("b".into(), vec![0; 200])];
    values.set(task("one"), BUCKET.into(), pairs).await.unwrap_err();
    assert_eq!(get(&values, "one", "a").await, None);
    set(&values, "one", "c", &[0; 98]).await.unwrap();
}

#[tokio::test]
async fn keys_are_listed_in_pages() {
    let (_directory, values) = open(1 << 20);
    for hundreds in 0..25 {
        let pairs = (0..100).map(|i| (format!("{:04}", hundreds * 100 + i), vec![0])).collect();
        values.set(task("one"), BUCKET.into(), pairs).await.unwrap();
    }
    let mut after = Some(0);
    let mut keys = Vec::new();
    while let Some(cursor) = after {
        let KeyPage { keys: page, next } = values.keys(task("one"), BUCKET.into(), cursor).await.unwrap();
        keys.extend(page);
        after = next;
    }
    assert_eq!(keys.len(), 2_500);
    assert!(keys.is_sorted());
}

#[tokio::test]
async fn concurrent_increments_are_all_counted() {
    let (_directory, values) = open(1_000);
    let increments = (0..50).map(|_| values.increment(task("one"), BUCKET.into(), "n".into(), 2));
    futures::future::join_all(increments).await;
    assert_eq!(get(&values, "one", "n").await.as_deref(), Some(b"100".as_slice()));
    set(&values, "one", "t", b"text").await.unwrap();
    for (key, delta) in [("t", 1), ("n", u64::MAX)] {
        let error = values.increment(task("one"), BUCKET.into(), key.into(), delta).await.unwrap_err();
        assert!(matches!(error, KeyValueError::NotANumber), "{error:?}");
    }
}

#[tokio::test]
async fn keys_and_bytes_of_one_operation_are_bounded() {
    let (_directory, values) = open(64 << 20);
    set(&values, "one", "k", &vec![0; VALUE_MAX_BYTES]).await.unwrap();
    let too_many = values.get(task("one"), BUCKET.into(), vec!["k".into(); KEYS_MAX + 1]).await.unwrap_err();
    assert!(matches!(too_many, KeyValueError::TooManyKeys { .. }), "{too_many:?}");
    let too_much = values.get(task("one"), BUCKET.into(), vec!["k".into(); 20]).await.unwrap_err();
    assert!(matches!(too_much, KeyValueError::TooMuch { .. }), "{too_much:?}");
    assert_eq!(values.get(task("one"), BUCKET.into(), vec!["k".into(); 8]).await.unwrap().len(), 8);
}

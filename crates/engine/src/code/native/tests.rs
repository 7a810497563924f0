//! Native code on disk is used only if it is exactly what was written.

use super::*;

const DIGEST: Digest = Digest::from_bytes([7; 32]);
const OTHER: Digest = Digest::from_bytes([8; 32]);

fn open(directory: &Path, max_bytes: u64) -> NativeCache {
    NativeCache::open(directory, &Engine::default(), max_bytes).unwrap()
}

#[test]
fn keeps_code_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(open(directory.path(), 1000).load(DIGEST), None);
    open(directory.path(), 1000).store(DIGEST, b"code").unwrap();
    assert_eq!(open(directory.path(), 1000).load(DIGEST), Some(b"code".to_vec()));
}

#[test]
fn every_flipped_byte_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path(), 1000);
    cache.store(DIGEST, b"native code").unwrap();
    let path = cache.path(DIGEST);
    let written = fs::read(&path).unwrap();
    for i in 0..written.len() {
        let mut changed = written.clone();
        changed[i] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert_eq!(cache.load(DIGEST), None, "byte {i}");
        assert!(!path.exists(), "a changed file is removed");
    }
    for length in 0..written.len() {
        fs::write(&path, &written[..length]).unwrap();
        assert_eq!(cache.load(DIGEST), None, "cut to {length}");
    }
}

#[test]
fn swapped_files_are_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path(), 1000);
    cache.store(DIGEST, b"one").unwrap();
    fs::rename(cache.path(DIGEST), cache.path(OTHER)).unwrap();
    assert_eq!(cache.load(OTHER), None);
}

#[test]
fn code_under_another_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path(), 1000).store(DIGEST, b"code").unwrap();
    fs::remove_file(directory.path().join(KEY_FILE)).unwrap();
    assert_eq!(open(directory.path(), 1000).load(DIGEST), None);
}

#[test]
fn the_least_recently_used_is_evicted_first() {
    let directory = tempfile::tempdir().unwrap();
    let cache = open(directory.path(), 150);
    cache.store(DIGEST, &[1; 30]).unwrap();
    let old = SystemTime::UNIX_EPOCH;
    File::open(cache.path(DIGEST)).unwrap().set_modified(old).unwrap();
    cache.store(OTHER, &[2; 30]).unwrap();
    cache.store(Digest::from_bytes([9; 32]), &[3; 30]).unwrap();
    assert_eq!(cache.load(DIGEST), None);
    assert!(cache.load(OTHER).is_some());
}

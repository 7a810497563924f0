//! Which attempts had begun when the process ended.
//!
//! Executions are claimed ahead of the runners, in groups, and the claim is what
//! is on the disk. Who is to blame for the end of a process is only who ran in
//! it, so each attempt that begins is written to a file of its own, without
//! waiting for the disk: what a process has written outlives it. It need not
//! outlive the machine; after a reboot every claim counts as begun.

use crate::lock::lock;
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Mutex;

/// The number of an execution and the token of its claim, eight bytes each.
const SLOT_BYTES: usize = 16;
/// Bytes that are there from the start, so that a full disk is noticed then: room
/// for more attempts at once than most hosts run.
const FIRST_BYTES: usize = 64 << 10;

/// The file, and which of its places are free.
#[derive(Debug)]
pub(super) struct Begun {
    file: File,
    /// Held to take or give back a place.
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    free: Vec<u64>,
    /// Places ever used.
    used: u64,
    taken: HashMap<Attempt, u64>,
}

/// A number and a token.
pub(super) type Attempt = (u64, u64);

impl Begun {
    /// Opens the file; returns what its last process had written.
    pub(super) fn open(path: &Path) -> io::Result<(Self, HashSet<Attempt>)> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let bytes = std::fs::read(path)?;
        let word = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or(0);
        let begun = bytes.chunks_exact(SLOT_BYTES).map(|slot| {
            let (number, token) = slot.split_at(SLOT_BYTES / 2);
            (word(number), word(token))
        });
        let begun = begun.collect();
        Ok((Self { file, slots: Mutex::default() }, begun))
    }

    /// Forgets what is written, and takes its first room on the disk.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.write_all_at(&[0; FIRST_BYTES], 0)
    }

    /// Writes that an attempt begins.
    pub(super) fn begin(&self, attempt: Attempt) -> io::Result<()> {
        let slot = {
            let mut slots = lock(&self.slots);
            let slot = slots.free.pop().unwrap_or_else(|| {
                slots.used += 1;
                slots.used - 1
            });
            slots.taken.insert(attempt, slot);
            slot
        };
        let mut bytes = [0; SLOT_BYTES];
        let (number, token) = bytes.split_at_mut(SLOT_BYTES / 2);
        number.copy_from_slice(&attempt.0.to_le_bytes());
        token.copy_from_slice(&attempt.1.to_le_bytes());
        self.file.write_all_at(&bytes, slot * SLOT_BYTES as u64)
    }

    /// Gives its place back, once its end is on the disk. What stands there is
    /// harmless: no claim has the same number and token again.
    pub(super) fn end(&self, attempt: Attempt) {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.taken.remove(&attempt) {
            slots.free.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_is_read_by_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("begun");
        let (begun, before) = Begun::open(&path).unwrap();
        assert_eq!(before, HashSet::new());
        for number in 1..=10_000 {
            begun.begin((number, 7)).unwrap();
        }
        begun.end((3, 7));
        begun.begin((20_000, 1)).unwrap();
        drop(begun);
        let (_, before) = Begun::open(&path).unwrap();
        assert!(before.contains(&(20_000, 1)) && before.contains(&(10_000, 7)), "{}", before.len());
        assert!(!before.contains(&(3, 7)), "its place was taken");
        assert!(!before.contains(&(1, 8)));
        let (begun, _) = Begun::open(&path).unwrap();
        begun.clear().unwrap();
        assert!(Begun::open(&path).unwrap().1.iter().all(|attempt| *attempt == (0, 0)));
    }
}

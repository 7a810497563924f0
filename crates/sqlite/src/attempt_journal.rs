//! The journal of attempts that have begun.
//!
//! Executions are claimed in groups before workers are free, and only the claim is on the
//! disk. When a process dies, only the attempts that ran in it have lost their worker. So
//! each attempt that begins is written to a file of its own, without a sync: written data
//! outlives the process. It need not outlive the machine: after a reboot every claimed
//! attempt counts as begun.

use pilum_store::StoreError;
use pilum_store::lock::lock;
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Mutex;

/// The journal's file in the store's directory.
const FILE_NAME: &str = "attempts.journal";
/// The name of the file before version 2 of the store.
const FORMER_FILE_NAME: &str = "begun";
/// A slot holds the number of an execution and the token of its claim, eight bytes each.
const SLOT_BYTES: usize = 16;
/// Bytes that are allocated at the start, so that a full disk is found then and not during a
/// run: slots for more attempts at once than most hosts run.
const ALLOCATED_BYTES: usize = 64 << 10;

/// Identifies a claim: the store's number of the execution, and the token of the claim.
pub(crate) type ClaimToken = (u64, u64);

/// The file, and which of its slots are in use.
#[derive(Debug)]
pub(crate) struct AttemptJournal {
    file: File,
    /// Held to take a slot or to free one.
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    free: Vec<u64>,
    /// How many slots were ever used.
    used: u64,
    taken: HashMap<ClaimToken, u64>,
}

impl AttemptJournal {
    /// Opens the journal in `directory`. Also returns the claims that the last process
    /// recorded in it.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub(crate) fn open(directory: &Path) -> Result<(Self, HashSet<ClaimToken>), StoreError> {
        Self::open_file(directory).map_err(failed)
    }

    /// Empties the journal, and allocates its first slots.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.write_all_at(&[0; ALLOCATED_BYTES], 0));
        cleared.map_err(failed)
    }

    /// Records that the attempt of a claim begins.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn begin(&self, claim: ClaimToken) -> Result<(), StoreError> {
        let slot = {
            let mut slots = lock(&self.slots);
            let slot = slots.free.pop().unwrap_or_else(|| {
                slots.used += 1;
                slots.used - 1
            });
            slots.taken.insert(claim, slot);
            slot
        };
        let mut bytes = [0; SLOT_BYTES];
        let (number, token) = bytes.split_at_mut(SLOT_BYTES / 2);
        number.copy_from_slice(&claim.0.to_le_bytes());
        token.copy_from_slice(&claim.1.to_le_bytes());
        self.file.write_all_at(&bytes, slot * SLOT_BYTES as u64).map_err(failed)
    }

    /// Frees the slot of a claim, once the end of its attempt is on the disk. The old
    /// entry in the file is harmless: no other claim has the same number and token.
    pub(crate) fn end(&self, claim: ClaimToken) {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.taken.remove(&claim) {
            slots.free.push(slot);
        }
    }

    fn open_file(directory: &Path) -> io::Result<(Self, HashSet<ClaimToken>)> {
        let (path, former_path) = (directory.join(FILE_NAME), directory.join(FORMER_FILE_NAME));
        if former_path.exists() && !path.exists() {
            std::fs::rename(former_path, &path)?;
        }
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let bytes = std::fs::read(path)?;
        let (words, _rest) = bytes.as_chunks::<{ SLOT_BYTES / 2 }>();
        let (slots, _rest) = words.as_chunks::<2>();
        let begun =
            slots.iter().map(|[number, token]| (u64::from_le_bytes(*number), u64::from_le_bytes(*token)));
        let begun = begun.collect();
        Ok((Self { file, slots: Mutex::default() }, begun))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: io::Error) -> StoreError {
    StoreError::Failed(format!("the journal of attempts: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_process_reads_which_attempts_had_begun() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (journal, before) = AttemptJournal::open(path).unwrap();
        assert_eq!(before, HashSet::new());
        for number in 1..=10_000 {
            journal.begin((number, 7)).unwrap();
        }
        journal.end((3, 7));
        journal.begin((20_000, 1)).unwrap();
        drop(journal);
        let (_, before) = AttemptJournal::open(path).unwrap();
        assert!(before.contains(&(20_000, 1)) && before.contains(&(10_000, 7)), "{}", before.len());
        assert!(!before.contains(&(3, 7)), "its slot was used again");
        assert!(!before.contains(&(1, 8)));
        let (journal, _) = AttemptJournal::open(path).unwrap();
        journal.clear().unwrap();
        assert!(AttemptJournal::open(path).unwrap().1.iter().all(|claim| *claim == (0, 0)));
    }

    #[test]
    fn a_journal_under_its_former_name_is_read() {
        let directory = tempfile::tempdir().unwrap();
        AttemptJournal::open(directory.path()).unwrap().0.begin((5, 1)).unwrap();
        let path = |name| directory.path().join(name);
        std::fs::rename(path(FILE_NAME), path(FORMER_FILE_NAME)).unwrap();
        assert!(AttemptJournal::open(directory.path()).unwrap().1.contains(&(5, 1)));
        assert!(!path(FORMER_FILE_NAME).exists());
    }
}

//! A first-in, first-out lane from which any entry can be removed.

use std::collections::VecDeque;

/// The numbers of executions in the order in which they run. Every operation takes
/// constant amortised time, except counting the entries before one when others have left
/// the lane out of order.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// An entry that left out of order leaves `None` until it reaches the front.
    entries: VecDeque<Option<u64>>,
    /// The index of the first entry. Indexes are never used again, so the index of an
    /// entry stays valid while others leave.
    first_index: i64,
    len: usize,
}

impl Lane {
    /// Adds an entry at the end; returns its index.
    pub(super) fn push_back(&mut self, number: u64) -> i64 {
        self.entries.push_back(Some(number));
        self.len += 1;
        self.first_index + self.entries.len() as i64 - 1
    }

    /// Adds an entry at the front; returns its index.
    pub(super) fn push_front(&mut self, number: u64) -> i64 {
        self.entries.push_front(Some(number));
        self.len += 1;
        self.first_index -= 1;
        self.first_index
    }

    /// Removes the first entry.
    pub(super) fn pop(&mut self) -> Option<u64> {
        while let Some(entry) = self.entries.pop_front() {
            self.first_index += 1;
            if let Some(number) = entry {
                self.len -= 1;
                return Some(number);
            }
        }
        None
    }

    /// Removes the entry with this index.
    pub(super) fn remove(&mut self, index: i64) {
        if let Some(entry) = self.offset(index).and_then(|offset| self.entries.get_mut(offset))
            && entry.take().is_some()
        {
            self.len -= 1;
        }
        if self.len == 0 {
            self.first_index += self.entries.len() as i64;
            self.entries.clear();
        }
    }

    /// How many entries are before this index.
    pub(super) fn count_before(&self, index: i64) -> usize {
        let Some(offset) = self.offset(index) else { return 0 };
        if self.len == self.entries.len() {
            return offset;
        }
        if offset + 1 == self.entries.len() {
            return self.len.saturating_sub(1);
        }
        self.entries.iter().take(offset).filter(|entry| entry.is_some()).count()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn offset(&self, index: i64) -> Option<usize> {
        usize::try_from(index - self.first_index).ok()
    }
}

//! A line in which everybody has a place, and may leave it from anywhere.

use std::collections::VecDeque;

/// Numbers in the order in which they go. Each operation takes constant time,
/// taken over all of them, but for finding a place behind others that left.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What left without its turn leaves a hole until its turn comes.
    places: VecDeque<Option<u64>>,
    /// The seat of the first place. Seats count on, so a seat stays true while
    /// others leave.
    front: i64,
    len: usize,
}

impl Lane {
    /// Takes the last place; returns its seat.
    pub(super) fn push_back(&mut self, number: u64) -> i64 {
        self.places.push_back(Some(number));
        self.len += 1;
        self.front + self.places.len() as i64 - 1
    }

    /// Takes the first place; returns its seat.
    pub(super) fn push_front(&mut self, number: u64) -> i64 {
        self.places.push_front(Some(number));
        self.len += 1;
        self.front -= 1;
        self.front
    }

    /// Takes out who is first.
    pub(super) fn pop(&mut self) -> Option<u64> {
        while let Some(place) = self.places.pop_front() {
            self.front += 1;
            if let Some(number) = place {
                self.len -= 1;
                return Some(number);
            }
        }
        None
    }

    /// Takes out who has this seat.
    pub(super) fn leave(&mut self, seat: i64) {
        if let Some(place) = self.index(seat).and_then(|index| self.places.get_mut(index))
            && place.take().is_some()
        {
            self.len -= 1;
        }
        if self.len == 0 {
            self.front += self.places.len() as i64;
            self.places.clear();
        }
    }

    /// How many have a seat before this one.
    pub(super) fn ahead(&self, seat: i64) -> usize {
        let Some(index) = self.index(seat) else { return 0 };
        if self.len == self.places.len() {
            return index;
        }
        if index + 1 == self.places.len() {
            return self.len.saturating_sub(1);
        }
        self.places.iter().take(index).filter(|place| place.is_some()).count()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn index(&self, seat: i64) -> Option<usize> {
        usize::try_from(seat - self.front).ok()
    }
}

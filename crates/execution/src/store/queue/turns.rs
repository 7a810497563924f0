//! Whose turn it is, among several who have shares.
//!
//! Stride scheduling (Waldspurger and Weihl, 1995): everybody has a pass, the
//! lowest goes next, and going costs the less of it the larger the share is. So
//! each gets its share whenever all wait, and nobody waits for ever.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// What a turn costs at a share of 1. Large beside every share; passes last for
/// 10^13 turns.
const STRIDE: u64 = 1 << 20;

/// The turns of those who wait.
#[derive(Debug)]
pub(super) struct Turns<K> {
    /// Those who wait, by pass and then by rank.
    waiting: BTreeSet<(u64, u64, K)>,
    /// The pass and the rank of each of them.
    passes: HashMap<K, (u64, u64)>,
    /// The pass of those who left before their turns were made up for: who leaves
    /// and comes back at once gains nothing by it.
    left: HashMap<K, u64>,
    /// The pass of the latest turn. Who comes starts from here, whatever was
    /// saved up in absence.
    now: u64,
}

impl<K: Clone + Eq + Hash + Ord> Turns<K> {
    /// Has `key` wait for turns, if it does not already. Of those with the same
    /// pass, the one with the lowest rank goes first.
    pub(super) fn join(&mut self, key: &K, rank: u64) {
        if self.passes.contains_key(key) {
            return;
        }
        let pass = self.left.remove(key).unwrap_or(0).max(self.now);
        self.passes.insert(key.clone(), (pass, rank));
        self.waiting.insert((pass, rank, key.clone()));
    }

    /// Has `key` wait no longer.
    pub(super) fn leave(&mut self, key: &K) {
        if let Some((pass, rank)) = self.passes.remove(key) {
            self.waiting.remove(&(pass, rank, key.clone()));
            if pass > self.now {
                self.left.insert(key.clone(), pass);
            }
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<&K> {
        self.waiting.first().map(|(_, _, key)| key)
    }

    /// Charges `key` for its turn.
    pub(super) fn charge(&mut self, key: &K, share: u32) {
        let Some((pass, rank)) = self.passes.get_mut(key) else { return };
        self.waiting.remove(&(*pass, *rank, key.clone()));
        if *pass > self.now {
            self.now = *pass;
            let now = self.now;
            self.left.retain(|_, pass| *pass > now);
        }
        *pass += STRIDE / u64::from(share.max(1));
        self.waiting.insert((*pass, *rank, key.clone()));
    }
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { waiting: BTreeSet::new(), passes: HashMap::new(), left: HashMap::new(), now: 0 }
    }
}

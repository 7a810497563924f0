//! Turns by share.
//!
//! Stride scheduling (Waldspurger and Weihl, 1995): every member has a pass, and the
//! lowest pass has the next turn. A turn raises the pass, by less the larger the member's
//! share is. So all members that wait get turns in proportion to their shares, and none
//! waits for ever.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// By how much a turn raises the pass of a member with share 1. It is much larger than every
/// share, and passes last for 10^13 turns.
const STRIDE: u64 = 1 << 20;

/// The members that wait for turns.
#[derive(Debug)]
pub(super) struct StrideTurns<K> {
    /// The waiting members by pass, then by rank.
    waiting: BTreeSet<(u64, u64, K)>,
    /// The pass and the rank of each waiting member.
    passes: HashMap<K, (u64, u64)>,
    /// The passes of members that left while their pass was above `now`. A member that
    /// leaves and comes back at once gains nothing.
    left: HashMap<K, u64>,
    /// The pass of the latest turn. A new member starts here, so it gains nothing from the
    /// time before it joined.
    now: u64,
}

impl<K: Clone + Eq + Hash + Ord> StrideTurns<K> {
    /// Adds `key` to the waiting members if it does not wait already. Of members with the
    /// same pass, the one with the lowest rank has the next turn.
    pub(super) fn join(&mut self, key: &K, rank: u64) {
        if self.passes.contains_key(key) {
            return;
        }
        let pass = self.left.remove(key).unwrap_or(0).max(self.now);
        self.passes.insert(key.clone(), (pass, rank));
        self.waiting.insert((pass, rank, key.clone()));
    }

    /// Removes `key` from the waiting members.
    pub(super) fn leave(&mut self, key: &K) {
        if let Some((pass, rank)) = self.passes.remove(key) {
            self.waiting.remove(&(pass, rank, key.clone()));
            if pass > self.now {
                self.left.insert(key.clone(), pass);
            }
        }
    }

    /// The member that has the next turn.
    pub(super) fn next(&self) -> Option<&K> {
        self.waiting.first().map(|(_, _, key)| key)
    }

    /// Charges `key` for a turn.
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

impl<K> Default for StrideTurns<K> {
    fn default() -> Self {
        Self { waiting: BTreeSet::new(), passes: HashMap::new(), left: HashMap::new(), now: 0 }
    }
}

//! Which blobs exist, how much disk they take, and which are evicted first.

use pilum_types::Digest;
use std::collections::{BTreeMap, HashMap};

/// The least disk that a file takes, in bytes: one block. Without it, millions of tiny
/// artifacts would use up the disk's inodes before they reach a bound in bytes.
const BLOCK_BYTES: u64 = 4_096;

/// Blobs in the order of their last use. This type touches no file.
#[derive(Debug, Default)]
pub(crate) struct Lru {
    blobs: HashMap<Digest, Blob>,
    /// Digests by their last use, oldest first.
    order: BTreeMap<u64, Digest>,
    /// The number of uses so far. Each use gets the next number.
    uses: u64,
    total_bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Blob {
    disk_bytes: u64,
    last_use: u64,
}

impl Lru {
    /// Records that a blob was written for the first time or again, which is a use.
    pub(crate) fn insert(&mut self, digest: Digest, bytes: u64) {
        self.remove(&digest);
        let disk_bytes = bytes.max(1).next_multiple_of(BLOCK_BYTES);
        self.uses += 1;
        self.blobs.insert(digest, Blob { disk_bytes, last_use: self.uses });
        self.order.insert(self.uses, digest);
        self.total_bytes += disk_bytes;
    }

    /// Records that a blob was used. An unknown digest changes nothing.
    pub(crate) fn touch(&mut self, digest: &Digest) {
        let Some(blob) = self.blobs.get_mut(digest) else { return };
        self.order.remove(&blob.last_use);
        self.uses += 1;
        blob.last_use = self.uses;
        self.order.insert(self.uses, *digest);
    }

    /// Records that a blob was deleted. An unknown digest changes nothing.
    pub(crate) fn remove(&mut self, digest: &Digest) {
        let Some(blob) = self.blobs.remove(digest) else { return };
        self.order.remove(&blob.last_use);
        self.total_bytes -= blob.disk_bytes;
    }

    /// Removes the least recently used blobs that are not `pinned`, until the rest fits
    /// into `max_bytes` or only pinned blobs are left. Returns the removed digests.
    pub(crate) fn evict(&mut self, max_bytes: u64, pinned: impl Fn(&Digest) -> bool) -> Vec<Digest> {
        let mut evicted = Vec::new();
        let mut total_bytes = self.total_bytes;
        for digest in self.order.values() {
            if total_bytes <= max_bytes {
                break;
            }
            if let Some(blob) = self.blobs.get(digest).filter(|_| !pinned(digest)) {
                total_bytes -= blob.disk_bytes;
                evicted.push(*digest);
            }
        }
        for digest in &evicted {
            self.remove(digest);
        }
        evicted
    }

    /// Disk that all blobs take, in bytes.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: u8) -> Digest {
        Digest::from_bytes([name; 32])
    }

    fn of_three_blocks_each(names: &[u8]) -> Lru {
        let mut lru = Lru::default();
        for name in names {
            lru.insert(digest(*name), 3 * BLOCK_BYTES);
        }
        lru
    }

    #[test]
    fn the_least_recently_used_are_evicted_first() {
        let mut lru = of_three_blocks_each(&[1, 2, 3, 4]);
        lru.touch(&digest(1));
        assert_eq!(lru.evict(12 * BLOCK_BYTES, |_| false), []);
        assert_eq!(lru.evict(12 * BLOCK_BYTES - 1, |_| false), [digest(2)]);
        assert_eq!(lru.evict(3 * BLOCK_BYTES, |_| false), [digest(3), digest(4)]);
        assert_eq!(lru.total_bytes(), 3 * BLOCK_BYTES);
        assert_eq!(lru.evict(0, |_| false), [digest(1)]);
        assert_eq!((lru.total_bytes(), lru.order.len(), lru.blobs.len()), (0, 0, 0));
    }

    #[test]
    fn pinned_blobs_stay() {
        let mut lru = of_three_blocks_each(&[1, 2, 3]);
        assert_eq!(lru.evict(0, |blob| *blob != digest(2)), [digest(2)]);
        assert_eq!(lru.total_bytes(), 6 * BLOCK_BYTES);
    }

    #[test]
    fn a_blob_counts_once_and_at_least_a_block() {
        let mut lru = Lru::default();
        lru.insert(digest(1), 0);
        lru.insert(digest(1), 1);
        assert_eq!(lru.total_bytes(), BLOCK_BYTES);
        lru.insert(digest(1), BLOCK_BYTES + 1);
        assert_eq!(lru.total_bytes(), 2 * BLOCK_BYTES);
        lru.remove(&digest(1));
        lru.remove(&digest(1));
        lru.touch(&digest(1));
        assert_eq!((lru.total_bytes(), lru.order.len()), (0, 0));
    }
}

//! Cuts a listing into pages.

use prost::Message;

/// Longest page, in bytes: half of the longest response that a client accepts.
const PAGE_MAX_BYTES: usize = pilum_proto::RESPONSE_MAX_BYTES / 2;

/// Entries of one page.
#[derive(Debug)]
pub(crate) struct Page<T> {
    /// The entries.
    pub(crate) entries: Vec<T>,
    /// Whether another page follows.
    pub(crate) has_more: bool,
}

/// The first `limit` entries of `found`, or fewer if they are longer than
/// [`PAGE_MAX_BYTES`]. `found` has one entry more than the limit if another page follows.
/// A page has at least one entry, however long the entry is.
pub(crate) fn page<T: Message>(found: impl ExactSizeIterator<Item = T>, limit: usize) -> Page<T> {
    let total = found.len();
    let mut bytes = 0;
    let mut entries = Vec::with_capacity(total.min(limit));
    for entry in found.take(limit) {
        bytes += entry.encoded_len();
        if bytes > PAGE_MAX_BYTES && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    Page { has_more: entries.len() < total, entries }
}

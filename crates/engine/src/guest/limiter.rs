//! Counts and bounds an instance's memories and tables.

use wasmtime::{ResourceLimiter, Result};

/// The bounds of one instance, and what the instance uses of them.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    memory_max_bytes: u64,
    table_max_elements: u64,
    memory_bytes: u64,
    memory_peak_bytes: u64,
    table_elements: u64,
    /// Whether growth was refused in the present call.
    refused: bool,
}

impl Limiter {
    /// Bounds on all memories together, in bytes, and on all tables together, in
    /// elements.
    pub(crate) fn new(memory_max_bytes: u64, table_max_elements: u64) -> Self {
        Self { memory_max_bytes, table_max_elements, ..Self::default() }
    }

    /// Begins a call, and forgets what was refused to the call before it.
    pub(crate) fn begin(&mut self) {
        self.refused = false;
    }

    /// The most bytes of linear memory that the instance held at once.
    pub(crate) fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak_bytes
    }

    /// Whether growth was refused in this call. A guest that gives up afterwards gave
    /// up because of the refusal, although smaller allocations may still succeed.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let grown = grown(self.memory_bytes, current, desired, self.memory_max_bytes);
        self.refused |= grown.is_none();
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        if let Some(bytes) = grown.filter(|_| fits) {
            self.memory_bytes = bytes;
            self.memory_peak_bytes = self.memory_peak_bytes.max(bytes);
        }
        Ok(grown.is_some() && fits)
    }

    /// Growth within the bounds failed, because the pool's slot is smaller or the
    /// system has no memory. The guest sees -1 as for any refusal.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.refused = true;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let grown = grown(self.table_elements, current, desired, self.table_max_elements);
        self.refused |= grown.is_none();
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        self.table_elements = grown.filter(|_| fits).unwrap_or(self.table_elements);
        Ok(grown.is_some() && fits)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.refused = true;
        Ok(())
    }
}

/// The sum held after one memory or table has grown from `current` to `desired`;
/// `None` if the sum would be above `max`.
fn grown(held: u64, current: usize, desired: usize, max: u64) -> Option<u64> {
    let grown = held.saturating_add((desired as u64).saturating_sub(current as u64));
    (grown <= max).then_some(grown)
}

//! Counts and bounds an instance's memories and tables.

use wasmtime::{ResourceLimiter, Result};

/// The bounds of one call, and what it uses of them.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    memory_max_bytes: u64,
    table_max_elements: u64,
    memory_bytes: u64,
    memory_peak_bytes: u64,
    table_elements: u64,
    refused: bool,
}

impl Limiter {
    pub(crate) fn new(memory_max_bytes: u64, table_max_elements: u64) -> Self {
        Self { memory_max_bytes, table_max_elements, ..Self::default() }
    }

    /// Begins a call: what was refused to the one before is none of its business.
    pub(crate) fn begin(&mut self) {
        self.refused = false;
    }

    /// Most bytes of linear memory held at once.
    pub(crate) fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak_bytes
    }

    /// Whether a bound of ours refused any growth. A guest that gives up later
    /// gave up because of it: what it still allocates on its way out succeeds.
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }
}

/// What is held after growing from `current` to `desired`, if that is within `max`.
fn grown(held: u64, current: usize, desired: usize, max: u64) -> Option<u64> {
    let grown = held.saturating_add((desired as u64).saturating_sub(current as u64));
    (grown <= max).then_some(grown)
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

    /// Growing within our bounds failed: the slot is smaller, or the system has
    /// no memory. The guest sees -1 as for any refusal.
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

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

    /// Most bytes of linear memory held at once.
    pub(crate) fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak_bytes
    }

    /// Whether the latest growth was refused by a bound of ours. A guest that then
    /// gives up, gave up because of it.
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
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let grown = grown(self.memory_bytes, current, desired, self.memory_max_bytes);
        // An allocator that got less in the end has what it needs after all.
        self.refused = grown.is_none();
        if let Some(bytes) = grown {
            self.memory_bytes = bytes;
            self.memory_peak_bytes = self.memory_peak_bytes.max(bytes);
        }
        Ok(grown.is_some())
    }

    /// Growing within our bounds failed: the slot is smaller, or the system has
    /// no memory. The guest sees -1 as for any refusal.
    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.refused = true;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let grown = grown(self.table_elements, current, desired, self.table_max_elements);
        self.refused = grown.is_none();
        self.table_elements = grown.unwrap_or(self.table_elements);
        Ok(grown.is_some())
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.refused = true;
        Ok(())
    }
}

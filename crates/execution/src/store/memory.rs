//! placeholder
/// Keeps executions in memory.
#[derive(Debug, Default)]
pub struct MemoryStore;

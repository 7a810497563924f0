//! The one place where wasmtime is configured.

use crate::error::EngineError;
use std::path::PathBuf;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Native stack of a guest, in bytes. It is deep enough for recursive parsers. A guest
/// that needs more ends with TRAP_STACK_OVERFLOW.
const WASM_STACK_MAX_BYTES: usize = 512 << 10;
/// Stack of a call's fiber, in bytes: the guest's stack and room for host calls.
const FIBER_STACK_BYTES: usize = WASM_STACK_MAX_BYTES + (512 << 10);
/// Core instances that one component may have. Components of the JavaScript and Python
/// toolchains have up to about 20.
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 40;
/// Linear memories that one component may have.
const MEMORIES_PER_COMPONENT_MAX: u32 = 4;
/// Tables that one component, and one module, may have.
const TABLES_PER_COMPONENT_MAX: u32 = 20;
/// Host data of one core instance or component, in bytes. It grows with the number of
/// imports, exports and globals.
const INSTANCE_MAX_BYTES: usize = 1 << 20;
/// Bytes of linear memory, and of tables, that a freed slot keeps mapped, so that the
/// next call of the same function has no page faults. wasmtime resets what a guest
/// wrote. Where the kernel can say which pages those are (`PAGEMAP_SCAN`, Linux 6.7),
/// only those pages are reset.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;
/// The same where the kernel cannot say so: every call then resets all of it.
const KEEP_RESIDENT_UNSCANNED_BYTES: usize = 16 << 10;
/// Bytes of stack that a freed slot keeps mapped. All of it is zeroed after every call,
/// so it is only as much as small functions use.
const STACK_KEEP_RESIDENT_BYTES: usize = 8 << 10;
/// Address space reserved for each linear memory, in bytes. This is all that a 32-bit
/// guest can address, so no access needs a bounds check.
const MEMORY_RESERVATION_BYTES: u64 = 4 << 30;
/// Guard region behind each linear memory, in bytes. Offsets up to this size need no
/// check either.
const MEMORY_GUARD_BYTES: u64 = 32 << 20;
/// Frames that a trap's backtrace shows.
pub(crate) const BACKTRACE_FRAMES_MAX: usize = 20;

/// The settings of an engine. The host sets them from its configuration.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// The directory of native code.
    pub directory: PathBuf,
    /// Instances that can exist at once.
    pub instance_slots: u32,
    /// Linear memory that one instance may have, in bytes, even if a call's own limit is
    /// higher.
    pub memory_max_bytes: u64,
    /// Elements that one table may have, even if a call's own limit is higher.
    pub table_max_elements: u64,
    /// Whether guests count fuel, which slows them down by some tens of percent.
    pub metered: bool,
    /// Native code kept in memory, in bytes. The least recently used is evicted first.
    pub code_cache_max_bytes: u64,
    /// Native code kept on disk, in bytes. The least recently used is evicted first.
    pub native_cache_max_bytes: u64,
}

/// How instances get their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allocation {
    /// From slots reserved at start. Instantiation takes a few microseconds.
    Pooled,
    /// From the operating system at each instantiation. Nothing is reserved.
    OnDemand,
}

/// The part of the configuration that shapes native code. A compiling child uses only
/// this part.
pub(crate) fn codegen_config(metered: bool) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .consume_fuel(metered)
        .memory_reservation(MEMORY_RESERVATION_BYTES)
        .memory_guard_size(MEMORY_GUARD_BYTES)
        .memory_may_move(false)
        .memory_init_cow(true)
        .max_wasm_stack(WASM_STACK_MAX_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        // Each of these could be attacked, and no toolchain we know needs one today.
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .concurrency_support(false)
        .wasm_component_model(true);
    config
}

/// The whole configuration.
pub(crate) fn config(settings: &EngineSettings, allocation: Allocation) -> Result<Config, EngineError> {
    let mut config = codegen_config(settings.metered);
    config.async_stack_size(FIBER_STACK_BYTES).async_stack_zeroing(true);
    config.allocation_strategy(match allocation {
        Allocation::OnDemand => InstanceAllocationStrategy::OnDemand,
        Allocation::Pooled => InstanceAllocationStrategy::Pooling(pool(settings)?),
    });
    Ok(config)
}

fn pool(settings: &EngineSettings) -> Result<PoolingAllocationConfig, EngineError> {
    let too_large =
        |what: &str| EngineError::Settings(format!("{what} does not fit this machine's addresses"));
    let memory_max = usize::try_from(settings.memory_max_bytes).map_err(|_| too_large("memory_max_bytes"))?;
    let table_max =
        usize::try_from(settings.table_max_elements).map_err(|_| too_large("table_max_elements"))?;
    let slots = settings.instance_slots;
    let scans = PoolingAllocationConfig::is_pagemap_scan_available();
    let keep_resident_bytes = if scans { KEEP_RESIDENT_BYTES } else { KEEP_RESIDENT_UNSCANNED_BYTES };
    // Each slot has room for the largest component, so that a call with a slot never
    // finds the pool empty. What is not used is only address space.
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES_PER_COMPONENT_MAX))
        .total_memories(slots.saturating_mul(MEMORIES_PER_COMPONENT_MAX))
        .total_tables(slots.saturating_mul(TABLES_PER_COMPONENT_MAX))
        .total_stacks(slots)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_memories_per_component(MEMORIES_PER_COMPONENT_MAX)
        .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
        .max_tables_per_module(TABLES_PER_COMPONENT_MAX)
        .max_memories_per_module(1)
        .max_component_instance_size(INSTANCE_MAX_BYTES)
        .max_core_instance_size(INSTANCE_MAX_BYTES)
        .max_memory_size(memory_max)
        .table_elements(table_max)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(keep_resident_bytes)
        .table_keep_resident(keep_resident_bytes)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT_BYTES)
        .max_unused_warm_slots(slots);
    Ok(pool)
}

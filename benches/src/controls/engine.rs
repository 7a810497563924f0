//! The wasmtime settings of the controls.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

/// The instance slots of the host's default configuration.
const SLOTS: u32 = 108;

/// An engine that generates the same code as the host's and resets a slot in the same
/// way. These two are most of the cost of a call, so with other settings a ratio would
/// compare the settings instead of the host. The values are copies of those in
/// `crates/engine`: if they were shared, a change of the host's settings would change
/// the control too, and no ratio would show it.
pub(crate) fn like_the_host() -> Result<Engine> {
    let mut config = codegen();
    config.async_stack_size(1 << 20).async_stack_zeroing(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    Engine::new(&config)
}

/// The settings that affect the generated code.
pub(crate) fn codegen() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .memory_may_move(false)
        .memory_init_cow(true)
        .max_wasm_stack(512 << 10)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .concurrency_support(false)
        .wasm_component_model(true);
    config
}

fn pool() -> PoolingAllocationConfig {
    let keep_resident_bytes =
        if PoolingAllocationConfig::is_pagemap_scan_available() { 256 << 10 } else { 16 << 10 };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_core_instances(SLOTS * 40)
        .total_memories(SLOTS * 4)
        .total_tables(SLOTS * 20)
        .total_stacks(SLOTS)
        .max_core_instances_per_component(40)
        .max_memories_per_component(4)
        .max_tables_per_component(20)
        .max_tables_per_module(20)
        .max_memories_per_module(1)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_memory_size(256 << 20)
        .table_elements(100_000)
        .pagemap_scan(Enabled::Auto)
        .linear_memory_keep_resident(keep_resident_bytes)
        .table_keep_resident(keep_resident_bytes)
        .async_stack_keep_resident(8 << 10)
        .max_unused_warm_slots(SLOTS);
    pool
}

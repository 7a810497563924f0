//! How the controls set wasmtime up.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

/// Slots of the host's default configuration.
const SLOTS: u32 = 108;

/// An engine that generates the same code as the host's and cleans a slot up in
/// the same way. Both are most of what a call costs: with other settings a ratio
/// would say more about those than about the host. The figures are the ones in
/// `crates/engine/src/config.rs`, copied, so that they are not measured against
/// themselves.
pub(crate) fn like_the_host() -> Result<Engine> {
    let mut config = codegen();
    config.async_stack_size(1 << 20).async_stack_zeroing(true);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    Engine::new(&config)
}

/// What shapes generated code.
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

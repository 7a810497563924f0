//! Bare wasmtime: pooling allocator, `InstancePre`, epoch on, typed call, a
//! fresh instance each. No host can be faster than this by much.

use wasmtime::component::{Component, InstancePre as ComponentPre, Linker as ComponentLinker, ResourceTable};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module, PoolingAllocationConfig, Result,
    Store,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.concurrency_support(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(PoolingAllocationConfig::new()));
    Engine::new(&config)
}

/// `add` of a core module.
pub(crate) struct CoreAdd {
    engine: Engine,
    pre: InstancePre<()>,
}

impl CoreAdd {
    pub(crate) fn new(wasm: &[u8]) -> Result<Self> {
        let engine = engine()?;
        let module = Module::new(&engine, wasm)?;
        let pre = Linker::new(&engine).instantiate_pre(&module)?;
        Ok(Self { engine, pre })
    }

    pub(crate) async fn call(&self) -> Result<i32> {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let add = instance.get_typed_func::<(i32, i32), i32>(&mut store, "add")?;
        add.call_async(&mut store, (2, 40)).await
    }
}

/// `calculate-fibonacci` of a component, with all of WASI linked.
pub(crate) struct ComponentFibonacci {
    engine: Engine,
    pre: ComponentPre<World>,
    export: wasmtime::component::ComponentExportIndex,
}

struct World {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl WasiView for World {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

impl ComponentFibonacci {
    pub(crate) fn new(wasm: &[u8]) -> Result<Self> {
        let engine = engine()?;
        let component = Component::new(&engine, wasm)?;
        let mut linker = ComponentLinker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let export = component
            .get_export_index(None, "calculate-fibonacci")
            .ok_or_else(|| wasmtime::format_err!("no calculate-fibonacci"))?;
        Ok(Self { pre: linker.instantiate_pre(&component)?, engine, export })
    }

    pub(crate) async fn call(&self) -> Result<u64> {
        let world = World { ctx: WasiCtx::builder().build(), table: ResourceTable::new() };
        let mut store = Store::new(&self.engine, world);
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let func = instance.get_typed_func::<(u32,), (u64,)>(&mut store, self.export)?;
        Ok(func.call_async(&mut store, (10,)).await?.0)
    }
}

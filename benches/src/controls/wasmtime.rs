//! Bare wasmtime: pooling allocator, `InstancePre`, epoch interruption, a typed call,
//! a new instance for each call. No host can be much faster.

use super::engine::like_the_host;
use wasmtime::component::{Component, InstancePre as ComponentPre, Linker as ComponentLinker, ResourceTable};
use wasmtime::{Engine, InstancePre, Linker, Module, Result, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// `add` of a core module.
pub(crate) struct CoreAdd {
    engine: Engine,
    pre: InstancePre<()>,
}

impl CoreAdd {
    pub(crate) fn new(wasm: &[u8]) -> Result<Self> {
        let engine = like_the_host()?;
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
    pre: ComponentPre<GuestEnv>,
    export: wasmtime::component::ComponentExportIndex,
}

/// The data that a component with WASI needs in its store.
pub(crate) struct GuestEnv {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl GuestEnv {
    pub(crate) fn new() -> Self {
        Self { ctx: WasiCtx::builder().build(), table: ResourceTable::new() }
    }
}

impl WasiView for GuestEnv {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

impl ComponentFibonacci {
    pub(crate) fn new(wasm: &[u8]) -> Result<Self> {
        let engine = like_the_host()?;
        let component = Component::new(&engine, wasm)?;
        let mut linker = ComponentLinker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        let export = component
            .get_export_index(None, "calculate-fibonacci")
            .ok_or_else(|| wasmtime::format_err!("no calculate-fibonacci"))?;
        Ok(Self { pre: linker.instantiate_pre(&component)?, engine, export })
    }

    pub(crate) async fn call(&self) -> Result<u64> {
        let mut store = Store::new(&self.engine, GuestEnv::new());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let func = instance.get_typed_func::<(u32,), (u64,)>(&mut store, self.export)?;
        Ok(func.call_async(&mut store, (10,)).await?.0)
    }
}

//! The lowest cost of a first call whose native code is on disk: map the file, link,
//! instantiate, call.

use super::engine::like_the_host;
use super::wasmtime::GuestEnv;
use std::path::Path;
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Result, Store};

/// An engine that has loaded no code yet. It is started and WASI is defined before the
/// call, as in the host.
pub(crate) struct Cold {
    engine: Engine,
    linker: Linker<GuestEnv>,
}

impl Cold {
    pub(crate) fn start() -> Result<Self> {
        let engine = like_the_host()?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        Ok(Self { engine, linker })
    }

    /// Compiles a component to the native code that [`Cold::first_call`] maps.
    pub(crate) fn precompile(wasm: &[u8]) -> Result<Vec<u8>> {
        like_the_host()?.precompile_component(wasm)
    }

    /// Calls `calculate-fibonacci(10)` of the component in the file `native`.
    pub(crate) async fn first_call(&self, native: &Path) -> Result<u64> {
        let component = deserialize(&self.engine, native)?;
        let pre = self.linker.instantiate_pre(&component)?;
        let mut store = Store::new(&self.engine, GuestEnv::new());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = pre.instantiate_async(&mut store).await?;
        let func = instance.get_typed_func::<(u32,), (u64,)>(&mut store, "calculate-fibonacci")?;
        Ok(func.call_async(&mut store, (10,)).await?.0)
    }
}

#[expect(unsafe_code, reason = "mapping our own native code is what the host is measured against")]
fn deserialize(engine: &Engine, native: &Path) -> Result<Component> {
    // SAFETY: the file is in this process's own temporary directory. It holds what
    // `Cold::precompile` made, and no code writes to it again.
    unsafe { Component::deserialize_file(engine, native) }
}

//! What stands around one guest while it runs: its limits, and its WASI world,
//! which is made on first use, since most calls of typed functions never touch it.

use crate::limiter::Limiter;
use crate::output::{Captured, Destination, Tap, Written};
use bytes::Bytes;
use pilum_types::LogStream;
use std::sync::Arc;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// Handles a guest may hold at once: streams, pollables and the like. A guest
/// that leaks them fails here rather than in the host's memory.
const HANDLES_MAX: usize = 10_000;
/// Random bytes a guest may ask for at once. They are made in host memory.
const RANDOM_MAX_BYTES: u64 = 1 << 20;

/// The data of a guest's store.
#[derive(Default)]
pub(crate) struct Guest {
    pub(crate) limiter: Limiter,
    /// The moment the epoch callback stops the guest; `None` before a call.
    pub(crate) deadline: Option<Instant>,
    world: World,
    p1: Option<Box<WasiP1Ctx>>,
    p2: Option<Box<(WasiCtx, ResourceTable)>>,
    captured: Option<Captured>,
}

/// What a guest can see of the outside. Nothing is inherited from the host.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// `argv`; empty for typed functions.
    pub(crate) arguments: Vec<String>,
    /// Environment variables.
    pub(crate) environment: Arc<[(String, String)]>,
    /// Standard input; for typed functions it is at its end.
    pub(crate) stdin: Bytes,
    /// Whether standard output is the result, rather than log lines.
    pub(crate) stdout_is_result: bool,
    /// Most bytes of a result on standard output.
    pub(crate) result_max_bytes: u64,
    /// Most bytes of log lines.
    pub(crate) log_max_bytes: u64,
    /// Is told each log line.
    pub(crate) tap: Option<Tap>,
}

impl Guest {
    pub(crate) fn new(limiter: Limiter, deadline: Instant, world: World) -> Self {
        Self { limiter, deadline: Some(deadline), world, ..Self::default() }
    }

    /// The guest's preview 1 world.
    pub(crate) fn p1(&mut self) -> &mut WasiP1Ctx {
        let Self { p1, world, captured, .. } = self;
        p1.get_or_insert_with(|| Box::new(world.builder(captured).build_p1()))
    }

    /// Takes what the guest wrote.
    pub(crate) fn take_written(&mut self) -> Written {
        self.captured.take().map(|captured| captured.take()).unwrap_or_default()
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self { p2, world, captured, .. } = self;
        let world = p2.get_or_insert_with(|| {
            let mut table = ResourceTable::new();
            table.set_max_capacity(HANDLES_MAX);
            Box::new((world.builder(captured).build(), table))
        });
        let (ctx, table) = world.as_mut();
        WasiCtxView { ctx, table }
    }
}

impl World {
    fn builder(&self, captured: &mut Option<Captured>) -> WasiCtxBuilder {
        let captured = captured.get_or_insert_with(|| {
            Captured::new(self.result_max_bytes, self.log_max_bytes, self.tap.clone())
        });
        let stdout =
            if self.stdout_is_result { Destination::Result } else { Destination::Log(LogStream::Stdout) };
        let mut builder = WasiCtxBuilder::new();
        builder
            .stdin(MemoryInputPipe::new(self.stdin.clone()))
            .stdout(captured.stream(stdout))
            .stderr(captured.stream(Destination::Log(LogStream::Stderr)))
            .args(&self.arguments)
            .envs(&self.environment)
            .max_random_size(RANDOM_MAX_BYTES)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        builder
    }
}

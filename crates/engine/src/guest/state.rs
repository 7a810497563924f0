//! What stands around one guest while it runs: its limits, and its WASI world,
//! which is made on first use, since most calls of typed functions never touch it.

use crate::imports::KeyValue;
use crate::limiter::Limiter;
use crate::outgoing::{Outgoing, SendRequest};
use crate::output::{Captured, Destination, Written};
use crate::pieces::PieceStream;
use bytes::Bytes;
use pilum_call::LogSink;
use pilum_call::RevisionKey;
use pilum_types::{CallLimits, Grants, LogStream, Policy};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Handles a guest may hold at once: streams, pollables, requests and the like. A
/// guest that leaks them fails here rather than in the host's memory; a body that
/// nobody reads holds 32 KiB of that.
const HANDLES_MAX: usize = 512;
/// Headers that one set of them may have, in bytes as the host holds them.
const FIELDS_MAX_BYTES: usize = 16 << 10;
/// Random bytes a guest may ask for at once. They are made in host memory.
const RANDOM_MAX_BYTES: u64 = 1 << 20;

/// What the host offers to guests beyond WASI, each behind a grant.
#[derive(Debug, Default)]
pub struct Services {
    /// Sends their requests; without it none leaves.
    pub send_request: Option<Arc<dyn SendRequest>>,
    /// Keeps their values; without it none are kept.
    pub key_value: Option<Arc<dyn KeyValue>>,
}

/// The data of a guest's store.
#[derive(Default)]
pub(crate) struct Guest {
    pub(crate) limiter: Limiter,
    /// The moment the epoch callback stops the guest; `None` before a call.
    pub(crate) deadline: Option<Instant>,
    world: World,
    p1: Option<Box<WasiP1Ctx>>,
    p2: Option<Box<WasiCtx>>,
    held: Option<Box<Held>>,
    captured: Option<Captured>,
    services: Option<Arc<Services>>,
}

/// What a guest holds of the outside. Made on first use, so that what never holds
/// anything carries no room for it.
struct Held {
    handles: ResourceTable,
    http: WasiHttpCtx,
    outgoing: Outgoing,
}

/// What a guest can see of the outside. Nothing is inherited from the host.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// What the task's owner decided; `None` grants nothing.
    pub(crate) policy: Option<Arc<Policy>>,
    /// Whose values it finds.
    pub(crate) owner: Option<RevisionKey>,
    /// `argv`; empty for typed functions.
    pub(crate) arguments: Vec<String>,
    /// Environment variables.
    pub(crate) environment: Arc<[(String, String)]>,
    /// Standard input; for typed functions it is at its end.
    pub(crate) stdin: Bytes,
    /// Whether standard output is the result, rather than log lines.
    pub(crate) stdout_is_result: bool,
    /// Where that result goes piece by piece, instead of being kept.
    pub(crate) pieces: Option<mpsc::Sender<Bytes>>,
    /// Most bytes of a result on standard output.
    pub(crate) result_max_bytes: u64,
    /// Most bytes of log lines.
    pub(crate) log_max_bytes: u64,
    /// Is told each log line.
    pub(crate) log_sink: Option<LogSink>,
}

impl Guest {
    /// A guest with these services, before its first call.
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self { services: Some(services), ..Self::default() }
    }

    /// Begins a call: the first in this store, or another.
    pub(crate) fn begin(&mut self, limits: &CallLimits, deadline: Instant, world: World) {
        self.limiter.begin();
        if self.deadline.is_none() {
            self.limiter = Limiter::new(limits.memory_max_bytes, limits.table_max_elements);
        }
        self.deadline = Some(deadline);
        if let Some(captured) = &self.captured {
            captured.begin(world.result_max_bytes, world.log_max_bytes, world.log_sink.clone());
        }
        self.world = world;
    }

    /// Whether a call may find this world although the store was made before it:
    /// nobody has looked at its own yet, or it looks the same.
    pub(crate) fn suits(&self, world: &World) -> bool {
        let seen = self.p1.is_some() || self.p2.is_some();
        !seen || (!world.stdout_is_result && self.world.environment == world.environment)
    }

    /// The guest's preview 1 world.
    pub(crate) fn p1(&mut self) -> &mut WasiP1Ctx {
        let Self { p1, world, captured, .. } = self;
        p1.get_or_insert_with(|| Box::new(world.builder(captured).build_p1()))
    }

    /// What the task was granted, if anything.
    pub(crate) fn grants(&self) -> Option<&Grants> {
        self.world.policy.as_ref().map(|policy| &policy.grants)
    }

    /// Where the task's values are kept, if it was granted any.
    pub(crate) fn key_value(&self) -> Option<(Arc<dyn KeyValue>, RevisionKey)> {
        self.grants().filter(|grants| grants.key_value)?;
        self.services.as_ref()?.key_value.clone().zip(self.world.owner.clone())
    }

    /// The handles the guest holds.
    pub(crate) fn handles(&mut self) -> &mut ResourceTable {
        &mut Held::made(&mut self.held).handles
    }

    /// The same, to look at; `None` while it has not held any.
    pub(crate) fn handles_ref(&self) -> Option<&ResourceTable> {
        self.held.as_ref().map(|held| &held.handles)
    }

    /// Writes to the log as if to standard error: each of the text's lines is one.
    pub(crate) fn log(&mut self, text: &str) {
        let captured = self.world.captured(&mut self.captured);
        captured.write(Destination::Log(LogStream::Stderr), format!("{text}\n").as_bytes());
    }

    /// Whether something that a call began is still under way, so that the instance
    /// must not serve another.
    pub(crate) fn is_busy(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.outgoing.is_busy())
    }

    /// Takes what the guest wrote in this call.
    pub(crate) fn take_written(&mut self) -> Written {
        self.captured.as_ref().map(Captured::take).unwrap_or_default()
    }

    /// Drops every handle the guest holds. It cannot run on after this.
    pub(crate) fn drop_handles(&mut self) {
        self.held = None;
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self { p2, world, captured, held, .. } = self;
        let ctx = p2.get_or_insert_with(|| Box::new(world.builder(captured).build()));
        WasiCtxView { ctx, table: &mut Held::made(held).handles }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self { world, services, held, .. } = self;
        let Held { handles, http, outgoing } = Held::made(held);
        outgoing.policy.clone_from(&world.policy);
        outgoing.sender = services.as_ref().and_then(|services| services.send_request.clone());
        WasiHttpCtxView { ctx: http, table: handles, hooks: outgoing }
    }
}

impl Held {
    fn made(held: &mut Option<Box<Self>>) -> &mut Self {
        held.get_or_insert_with(|| {
            let mut handles = ResourceTable::new();
            handles.set_max_capacity(HANDLES_MAX);
            let mut http = WasiHttpCtx::new();
            http.set_field_size_limit(FIELDS_MAX_BYTES);
            Box::new(Self { handles, http, outgoing: Outgoing::default() })
        })
    }
}

impl World {
    /// What an instance is made with ahead of calls that bring no environment.
    pub(crate) fn ahead(owner: &RevisionKey, policy: &Arc<Policy>, limits: &CallLimits) -> Self {
        Self {
            environment: Arc::clone(&policy.environment),
            policy: Some(Arc::clone(policy)),
            owner: Some(owner.clone()),
            log_max_bytes: limits.log_max_bytes,
            ..Self::default()
        }
    }

    fn captured<'a>(&self, captured: &'a mut Option<Captured>) -> &'a Captured {
        captured.get_or_insert_with(|| {
            Captured::new(self.result_max_bytes, self.log_max_bytes, self.log_sink.clone())
        })
    }

    fn builder(&self, captured: &mut Option<Captured>) -> WasiCtxBuilder {
        let captured = self.captured(captured);
        let stdout =
            if self.stdout_is_result { Destination::Result } else { Destination::Log(LogStream::Stdout) };
        let mut builder = WasiCtxBuilder::new();
        builder
            .stdin(MemoryInputPipe::new(self.stdin.clone()))
            .stderr(captured.stream(Destination::Log(LogStream::Stderr)))
            .args(&self.arguments)
            .envs(&self.environment)
            .max_random_size(RANDOM_MAX_BYTES)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        match &self.pieces {
            Some(pieces) => builder.stdout(PieceStream::new(pieces.clone())),
            None => builder.stdout(captured.stream(stdout)),
        };
        builder
    }
}

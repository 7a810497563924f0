//! The data of a guest's store: its limits and its WASI context. The context is made
//! when the guest first uses it, because most calls of typed functions never do.

use crate::guest::env::{GuestEnv, wasi_context};
use crate::guest::limiter::Limiter;
use crate::guest::outgoing::Outgoing;
use crate::guest::output::{Captured, Destination, OutputBounds, Written};
use crate::guest::services::Services;
use pilum_call::RevisionKey;
use pilum_types::{CallLimits, Grants, LogStream};
use std::sync::Arc;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Handles that a guest may hold at once: streams, pollables, requests and the like.
/// A guest that leaks handles fails at this bound instead of filling the host's
/// memory; a body that nobody reads holds 32 KiB of it.
const HANDLES_MAX: usize = 512;
/// Bytes that one set of headers may have, as the host holds them.
const FIELDS_MAX_BYTES: usize = 16 << 10;

/// The data of a guest's store.
#[derive(Default)]
pub(crate) struct Guest {
    /// Counts and bounds memory and tables.
    pub(crate) limiter: Limiter,
    /// When the epoch callback stops the guest; `None` before the first call.
    pub(crate) deadline: Option<Instant>,
    /// What the present call shows to the guest; `None` before the first call.
    env: Option<GuestEnv>,
    output_bounds: OutputBounds,
    /// The WASI context of a core module, once the guest has used it.
    p1: Option<Box<WasiP1Ctx>>,
    /// The WASI context of a component, once the guest has used it.
    p2: Option<Box<WasiCtx>>,
    /// Boxed and made on first use, so that a guest without handles takes no memory
    /// for them.
    handles: Option<Box<Handles>>,
    /// What the guest has written, once it has opened a stream or logged a line.
    captured: Option<Captured>,
    services: Option<Arc<Services>>,
}

/// The host's resources that a guest refers to by handles.
struct Handles {
    table: ResourceTable,
    http: WasiHttpCtx,
    outgoing: Outgoing,
}

impl Guest {
    /// A guest with these services, before its first call.
    pub(crate) fn new(services: Arc<Services>) -> Self {
        Self { services: Some(services), ..Self::default() }
    }

    /// Begins a call. It may be the first one in this store or a later one.
    pub(crate) fn begin(&mut self, limits: &CallLimits, deadline: Instant, env: GuestEnv) {
        self.limiter.begin();
        if self.deadline.is_none() {
            self.limiter = Limiter::new(limits.memory_max_bytes, limits.table_max_elements);
        }
        self.deadline = Some(deadline);
        self.output_bounds = OutputBounds::of(limits);
        if let Some(captured) = &self.captured {
            captured.begin(self.output_bounds, env.log_sink.clone());
        }
        self.env = Some(env);
    }

    /// Whether a call with this environment may run in a store that was made before
    /// it: either the guest has not looked at the store's own environment yet, or the
    /// two look the same to it.
    pub(crate) fn suits(&self, env: &GuestEnv) -> bool {
        let has_looked = self.p1.is_some() || self.p2.is_some();
        !has_looked
            || (env.command.is_none()
                && self.env.as_ref().is_some_and(|own| own.environment == env.environment))
    }

    /// The WASI context of a core module.
    pub(crate) fn p1(&mut self) -> &mut WasiP1Ctx {
        let Self { p1, env, output_bounds, captured, .. } = self;
        p1.get_or_insert_with(|| {
            let captured = get_or_capture(captured, env.as_ref(), *output_bounds);
            Box::new(wasi_context(env.as_ref(), captured).build_p1())
        })
    }

    /// What the task was granted; `None` before the first call.
    pub(crate) fn grants(&self) -> Option<&Grants> {
        self.env.as_ref().map(|env| &env.policy.grants)
    }

    /// The revision whose code runs; `None` before the first call.
    pub(crate) fn revision(&self) -> Option<&RevisionKey> {
        self.env.as_ref().map(|env| &env.revision)
    }

    /// What the host offers; `None` for a guest that is only measured.
    pub(crate) fn services(&self) -> Option<&Services> {
        self.services.as_deref()
    }

    /// The handles that the guest holds.
    pub(crate) fn handles(&mut self) -> &mut ResourceTable {
        &mut Handles::get_or_make(&mut self.handles).table
    }

    /// The handles that the guest holds; `None` while it has never held one.
    pub(crate) fn handles_ref(&self) -> Option<&ResourceTable> {
        self.handles.as_ref().map(|handles| &handles.table)
    }

    /// Writes to the log as if to standard error. Each line of the text becomes a
    /// line of the log.
    pub(crate) fn log(&mut self, text: &str) {
        let captured = get_or_capture(&mut self.captured, self.env.as_ref(), self.output_bounds);
        captured.write(Destination::Log(LogStream::Stderr), format!("{text}\n").as_bytes());
    }

    /// Whether something that a call began is still under way, so that the instance
    /// must not serve another call.
    pub(crate) fn is_busy(&self) -> bool {
        self.handles.as_ref().is_some_and(|handles| handles.outgoing.is_busy())
    }

    /// Takes what the guest wrote in this call.
    pub(crate) fn take_written(&mut self) -> Written {
        self.captured.as_ref().map(Captured::take).unwrap_or_default()
    }

    /// Drops every handle that the guest holds. The guest must not run after this.
    pub(crate) fn drop_handles(&mut self) {
        self.handles = None;
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self { p2, env, output_bounds, captured, handles, .. } = self;
        let ctx = p2.get_or_insert_with(|| {
            let captured = get_or_capture(captured, env.as_ref(), *output_bounds);
            Box::new(wasi_context(env.as_ref(), captured).build())
        });
        WasiCtxView { ctx, table: &mut Handles::get_or_make(handles).table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self { env, services, handles, .. } = self;
        let Handles { table, http, outgoing } = Handles::get_or_make(handles);
        outgoing.policy = env.as_ref().map(|env| Arc::clone(&env.policy));
        outgoing.sender = services.as_ref().and_then(|services| services.send_request.clone());
        WasiHttpCtxView { ctx: http, table, hooks: outgoing }
    }
}

impl Handles {
    fn get_or_make(handles: &mut Option<Box<Self>>) -> &mut Self {
        handles.get_or_insert_with(|| {
            let mut table = ResourceTable::new();
            table.set_max_capacity(HANDLES_MAX);
            let mut http = WasiHttpCtx::new();
            http.set_field_size_limit(FIELDS_MAX_BYTES);
            Box::new(Self { table, http, outgoing: Outgoing::default() })
        })
    }
}

fn get_or_capture<'a>(
    captured: &'a mut Option<Captured>,
    env: Option<&GuestEnv>,
    bounds: OutputBounds,
) -> &'a Captured {
    captured.get_or_insert_with(|| Captured::new(bounds, env.and_then(|env| env.log_sink.clone())))
}

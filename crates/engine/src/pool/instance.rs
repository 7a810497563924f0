//! An instance: a store, the code instantiated in it, and its slot. The limits are set
//! before the first instruction, since start functions and initialisers are guest code
//! too.

use crate::code::prepared::{Code, Linked};
use crate::error::{CallError, DeadlinePassed};
use crate::guest::env::GuestEnv;
use crate::guest::services::Services;
use crate::guest::state::Guest;
use pilum_types::{CallLimits, InstanceId};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wasmtime::component::{ComponentExportIndex, Func as ComponentFunc, Instance as ComponentInstance};
use wasmtime::{
    Engine, Extern, Func, Instance as CoreInstance, ModuleExport, Store, StoreContextMut, UpdateDeadline,
};

/// Epoch ticks between two checks of the deadline.
const TICKS_PER_YIELD: u64 = 1;
/// Bytes that one host call of a command may pass in addition to a whole result: as
/// many as the longest request has. With less, a command that reads its whole input at
/// once, or writes a result a little over its bound at once, would fail as if it were
/// out of memory.
const COMMAND_HOSTCALL_EXTRA_BYTES: u64 = 8 << 20;
/// Bytes that one host call of a typed function may always pass, because its streams
/// take up to 64 KiB at once. If the bound of the result is smaller, the result is
/// checked after it is lifted.
pub(crate) const TYPED_HOSTCALL_MIN_BYTES: u64 = 128 << 10;

/// Why a call fails whose plan is not of the kind of its code.
const DOES_NOT_FIT: &str = "the call does not fit the code that it was bound to";
/// A deadline in ticks that no process reaches, with room for the ticks that have passed.
const NEVER_TICKS: u64 = u64::MAX / 2;

/// An instance, or a store in which one is about to be made.
pub(crate) struct Instance {
    /// The store.
    pub(crate) store: Store<Guest>,
    /// The instantiated code; `None` before instantiation.
    instantiated: Option<Instantiated>,
    /// Made when it is first asked for.
    id: Option<InstanceId>,
    /// Calls that it has served, one under way included.
    calls: u64,
    made_at: Instant,
    /// The memory bound of the call that it was made for.
    memory_max_bytes: u64,
    /// Its slot, which is free again when the instance is dropped. `None` for an
    /// instance that is only measured.
    _slot: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy)]
enum Instantiated {
    Core(CoreInstance),
    Component(ComponentInstance),
}

impl Instance {
    /// A store for an instance, in a slot.
    pub(crate) fn new(engine: &Engine, services: Arc<Services>, slot: OwnedSemaphorePermit) -> Self {
        let mut store = Store::new(engine, Guest::new(services));
        store.limiter(|guest| &mut guest.limiter);
        store.epoch_deadline_callback(on_tick);
        Self::in_store(store, Some(slot))
    }

    /// A store without limits and without a slot, to measure what those cost.
    pub(crate) fn bare(engine: &Engine, fuel: Option<u64>) -> Result<Self, CallError> {
        let mut bare = Self::in_store(Store::new(engine, Guest::default()), None);
        bare.store.set_epoch_deadline(NEVER_TICKS);
        if fuel.is_some() {
            bare.store.set_fuel(u64::MAX)?;
        }
        Ok(bare)
    }

    /// Begins a call: sets its limits and its environment.
    pub(crate) fn begin(
        &mut self,
        limits: &CallLimits,
        deadline: Instant,
        env: GuestEnv,
    ) -> Result<(), CallError> {
        let bytes = hostcall_max_bytes(limits, env.command.is_some());
        if self.instantiated.is_none() {
            self.memory_max_bytes = limits.memory_max_bytes;
        }
        self.calls += 1;
        self.store.data_mut().begin(limits, deadline, env);
        self.store.set_epoch_deadline(TICKS_PER_YIELD);
        self.store.set_hostcall_fuel(bytes);
        limits.fuel.map_or(Ok(()), |fuel| Ok(self.store.set_fuel(fuel)?))
    }

    /// Instantiates the code, unless that was done before the call.
    pub(crate) async fn instantiate(&mut self, code: &Code) -> Result<(), CallError> {
        if self.instantiated.is_some() {
            return Ok(());
        }
        let instantiated = match code.linked() {
            Linked::Core(pre) => {
                let instance = pre.instantiate_async(&mut self.store).await?;
                if let Some(initialize) = &code.exports().initialize {
                    let initialize = core_function(&mut self.store, instance, initialize)?;
                    initialize.call_async(&mut self.store, &[], &mut []).await?;
                }
                Instantiated::Core(instance)
            }
            Linked::Component(pre) => Instantiated::Component(pre.instantiate_async(&mut self.store).await?),
        };
        self.instantiated = Some(instantiated);
        Ok(())
    }

    /// An exported function of a core module.
    pub(crate) fn core_function(&mut self, export: &ModuleExport) -> Result<Func, CallError> {
        match self.instantiated {
            Some(Instantiated::Core(instance)) => core_function(&mut self.store, instance, export),
            Some(Instantiated::Component(_)) | None => Err(CallError::own_mistake(DOES_NOT_FIT)),
        }
    }

    /// An exported function of a component.
    pub(crate) fn component_function(
        &mut self,
        export: &ComponentExportIndex,
    ) -> Result<ComponentFunc, CallError> {
        match self.instantiated {
            Some(Instantiated::Component(instance)) => {
                let found = instance.get_func(&mut self.store, export);
                found.ok_or_else(|| CallError::own_mistake("the component lacks an export of its code"))
            }
            Some(Instantiated::Core(_)) | None => Err(CallError::own_mistake(DOES_NOT_FIT)),
        }
    }

    /// Notes that no call has used it: what was begun was only its creation.
    pub(crate) fn mark_unused(&mut self) {
        self.calls = 0;
    }

    /// Whether a call with these limits and this environment may run in it, although it
    /// was made before the call.
    pub(crate) fn suits(&self, limits: &CallLimits, env: &GuestEnv) -> bool {
        self.memory_max_bytes == limits.memory_max_bytes && self.store.data().suits(env)
    }

    /// How many calls it has served, one under way included.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// When its store was made.
    pub(crate) fn made_at(&self) -> Instant {
        self.made_at
    }

    /// Its id.
    pub(crate) fn id(&mut self) -> InstanceId {
        self.id.get_or_insert_with(new_instance_id).clone()
    }

    fn in_store(store: Store<Guest>, slot: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            store,
            instantiated: None,
            id: None,
            calls: 0,
            made_at: Instant::now(),
            memory_max_bytes: 0,
            _slot: slot,
        }
    }
}

fn core_function(
    store: &mut Store<Guest>,
    instance: CoreInstance,
    export: &ModuleExport,
) -> Result<Func, CallError> {
    let found = instance.get_module_export(store, export).and_then(Extern::into_func);
    found.ok_or_else(|| CallError::own_mistake("the module lacks an export of its code"))
}

/// Bytes that one host call may pass. A typed result passes as a whole, so this bounds
/// it; the output of a command is bounded where it is kept.
fn hostcall_max_bytes(limits: &CallLimits, is_command: bool) -> usize {
    let bytes = if is_command {
        limits.result_max_bytes.saturating_add(COMMAND_HOSTCALL_EXTRA_BYTES)
    } else {
        limits.result_max_bytes.max(TYPED_HOSTCALL_MIN_BYTES)
    };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Lets other calls run, or stops the guest if its deadline has passed. tokio's own
/// yield also lets the runtime poll its sockets and timers, so an endless loop does not
/// starve other work.
#[expect(clippy::needless_pass_by_value, reason = "the signature is wasmtime's")]
fn on_tick(store: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    match store.data().deadline {
        Some(deadline) if Instant::now() >= deadline => Err(wasmtime::Error::new(DeadlinePassed)),
        Some(_) | None => {
            // This lets other threads of the same core run too. They would otherwise wait
            // for the rest of a time slice of some 3 ms.
            std::thread::yield_now();
            Ok(UpdateDeadline::YieldCustom(TICKS_PER_YIELD, Box::pin(tokio::task::yield_now())))
        }
    }
}

fn new_instance_id() -> InstanceId {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    InstanceId::from_parts(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX), rand::random())
}

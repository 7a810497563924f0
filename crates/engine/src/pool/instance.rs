//! An instance: a store, the code instantiated in it, and its place among the
//! slots. It is armed before its first instruction, since start functions and
//! initialisers are guest code too.

use crate::call::CallError;
use crate::code::{Code, Linked};
use crate::failure::DeadlinePassed;
use crate::guest::{Guest, Services, World};
use pilum_types::{CallLimits, Failure, FailureCode, InstanceId};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wasmtime::component::{ComponentExportIndex, Func as ComponentFunc, Instance as ComponentInstance};
use wasmtime::{
    Engine, Extern, Func, Instance as CoreInstance, ModuleExport, Store, StoreContextMut, UpdateDeadline,
};

/// Epoch ticks between two looks at the deadline.
const TICKS_PER_YIELD: u64 = 1;
/// What a host call of a command may hand over beyond a whole result, in bytes: as
/// much as the longest request holds. Without it a command that reads its input,
/// or writes a result a little over its bound, in one piece would be told that
/// it is out of memory.
const COMMAND_HOSTCALL_BEYOND_BYTES: u64 = 8 << 20;
/// What a host call of a typed function may hand over at least, in bytes: its
/// streams take 64 KiB at a time, whatever its result may be. A result with a
/// smaller bound is checked once it is lifted.
pub(crate) const TYPED_HOSTCALL_MIN_BYTES: u64 = 128 << 10;

/// An instance, or a store in which one is about to be made.
pub(crate) struct Instance {
    pub(crate) store: Store<Guest>,
    exported: Option<Exported>,
    id: Option<InstanceId>,
    calls: u64,
    made_at: Instant,
    /// The memory bound it was made with.
    memory_max_bytes: u64,
    /// `None` for measuring only.
    _slot: Option<OwnedSemaphorePermit>,
}

#[derive(Clone, Copy)]
enum Exported {
    Core(CoreInstance),
    Component(ComponentInstance),
}

impl Instance {
    /// A store for an instance, in its slot.
    pub(crate) fn new(engine: &Engine, services: Arc<Services>, slot: Option<OwnedSemaphorePermit>) -> Self {
        let mut store = Store::new(engine, Guest::new(services));
        store.limiter(|guest| &mut guest.limiter);
        store.epoch_deadline_callback(on_tick);
        Self {
            store,
            exported: None,
            id: None,
            calls: 0,
            made_at: Instant::now(),
            memory_max_bytes: 0,
            _slot: slot,
        }
    }

    /// One with neither limits nor a slot, for measuring what those cost.
    pub(crate) fn bare(engine: &Engine, fuel: Option<u64>) -> Result<Self, CallError> {
        let mut bare = Self {
            store: Store::new(engine, Guest::default()),
            exported: None,
            id: None,
            calls: 0,
            made_at: Instant::now(),
            memory_max_bytes: 0,
            _slot: None,
        };
        bare.store.set_epoch_deadline(u64::MAX / 2);
        if fuel.is_some() {
            bare.store.set_fuel(u64::MAX)?;
        }
        Ok(bare)
    }

    /// Puts every limit of a call in place, and its world.
    pub(crate) fn begin(
        &mut self,
        limits: &CallLimits,
        deadline: Instant,
        world: World,
    ) -> Result<(), CallError> {
        let bytes = hostcall_bytes(limits, world.stdout_is_result);
        if self.exported.is_none() {
            self.memory_max_bytes = limits.memory_max_bytes;
        }
        self.calls += 1;
        self.store.data_mut().begin(limits, deadline, world);
        self.store.set_epoch_deadline(TICKS_PER_YIELD);
        self.store.set_hostcall_fuel(bytes);
        limits.fuel.map_or(Ok(()), |fuel| Ok(self.store.set_fuel(fuel)?))
    }

    /// Instantiates the code, unless that was done ahead of the call.
    pub(crate) async fn instantiate(&mut self, code: &Code) -> Result<(), CallError> {
        if self.exported.is_some() {
            return Ok(());
        }
        let exported = match code.linked() {
            Linked::Core(pre) => {
                let instance = pre.instantiate_async(&mut self.store).await?;
                if let Some(initialize) = &code.exports().initialize {
                    let initialize = core_function(&mut self.store, instance, initialize)?;
                    initialize.call_async(&mut self.store, &[], &mut []).await?;
                }
                Exported::Core(instance)
            }
            Linked::Component(pre) => Exported::Component(pre.instantiate_async(&mut self.store).await?),
        };
        self.exported = Some(exported);
        Ok(())
    }

    /// A core module's export.
    pub(crate) fn core_function(&mut self, export: &ModuleExport) -> Result<Func, CallError> {
        match self.exported {
            Some(Exported::Core(instance)) => core_function(&mut self.store, instance, export),
            Some(Exported::Component(_)) | None => Err(unfit()),
        }
    }

    /// A component's export.
    pub(crate) fn component_function(
        &mut self,
        export: &ComponentExportIndex,
    ) -> Result<ComponentFunc, CallError> {
        match self.exported {
            Some(Exported::Component(instance)) => {
                let found = instance.get_func(&mut self.store, export);
                found.ok_or_else(|| host_error("an export of the component is gone"))
            }
            Some(Exported::Core(_)) | None => Err(unfit()),
        }
    }

    /// Says that no call has used it yet: what was begun was only its making.
    pub(crate) fn is_ready(&mut self) {
        self.calls = 0;
    }

    /// Whether a call with this world and bound may run in it although it was made
    /// ahead of it.
    pub(crate) fn suits(&self, limits: &CallLimits, world: &World) -> bool {
        self.memory_max_bytes == limits.memory_max_bytes && self.store.data().suits(world)
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
}

fn core_function(
    store: &mut Store<Guest>,
    instance: CoreInstance,
    export: &ModuleExport,
) -> Result<Func, CallError> {
    let found = instance.get_module_export(store, export).and_then(Extern::into_func);
    found.ok_or_else(|| host_error("an export of the module is gone"))
}

/// Bytes that may cross at once. A typed result does so whole, which is what
/// bounds it; what a command writes is bounded where it is kept.
fn hostcall_bytes(limits: &CallLimits, command: bool) -> usize {
    let bytes = if command {
        limits.result_max_bytes.saturating_add(COMMAND_HOSTCALL_BEYOND_BYTES)
    } else {
        limits.result_max_bytes.max(TYPED_HOSTCALL_MIN_BYTES)
    };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Lets other calls run, or stops the guest. tokio's own yield also lets the
/// runtime look at its sockets and timers, so endless loops starve nobody.
#[expect(clippy::needless_pass_by_value, reason = "the signature is wasmtime's")]
fn on_tick(store: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    match store.data().deadline {
        Some(deadline) if Instant::now() >= deadline => Err(wasmtime::Error::new(DeadlinePassed)),
        Some(_) | None => {
            // Threads of the same core too, which the scheduler would otherwise
            // let wait for the rest of a slice of some 3 ms.
            std::thread::yield_now();
            Ok(UpdateDeadline::YieldCustom(TICKS_PER_YIELD, Box::pin(tokio::task::yield_now())))
        }
    }
}

/// The host's own mistake: a call that does not fit the code it was bound to.
pub(crate) fn unfit() -> CallError {
    host_error("the call does not fit the code it was bound to")
}

fn host_error(message: &str) -> CallError {
    CallError::Failed(Failure::new(FailureCode::HostError, message))
}

fn new_instance_id() -> InstanceId {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    InstanceId::from_parts(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX), rand::random())
}

//! What all services share: the context, and small helpers without state.

pub(crate) mod backoff;
pub(crate) mod catch_panic;
pub(crate) mod ids;
pub(crate) mod limits;

use crate::{CallContext, Clock, Runtime, Settings, Store};
use catch_panic::catch_panic;
use futures::FutureExt as _;
use pilum_types::{Failure, FailureCode, Outcome};

/// The parts that every service reads and no service changes.
#[derive(Debug)]
pub(crate) struct Ctx<R, S> {
    pub(crate) runtime: R,
    pub(crate) store: S,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
}

impl<R: Runtime, S: Store> Ctx<R, S> {
    pub(crate) fn new(runtime: R, store: S, settings: Settings) -> Self {
        Self { runtime, clock: store.clock(), store, settings }
    }

    /// Runs one attempt. A panic in the runtime becomes the attempt's failure.
    pub(crate) fn run(&self, call: R::Call, context: CallContext) -> impl Future<Output = Outcome> {
        catch_panic(self.runtime.run(call, context)).map(|ended| {
            ended.unwrap_or_else(|_panic| {
                Outcome::failed(Failure::new(FailureCode::HostError, "the host failed while it ran the call"))
            })
        })
    }
}

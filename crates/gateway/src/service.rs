//! The RPCs of the host. In each, a request is converted, the execution layer is called
//! once, and its answer is converted back.
//!
//! - `function_service`: `spearlet.FunctionService`.
//! - `host_service`: `pilum.v1.HostService`.
//! - `rpc`: what all RPCs have in common.

mod function_service;
mod host_service;
mod rpc;

pub(crate) use function_service::FunctionServiceHandler;
pub(crate) use host_service::HostServiceHandler;

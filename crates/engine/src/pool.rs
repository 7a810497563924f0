//! Gives each call an instance.
//!
//! `instance` is a store with code instantiated in it; `instance_pool` bounds how many
//! instances exist and makes them; `warm_pool` holds instances that were made before
//! the calls that use them; `ticker` advances the epoch while guests run.

pub(crate) mod instance;
pub(crate) mod instance_pool;
pub(crate) mod ticker;
pub(crate) mod warm_pool;

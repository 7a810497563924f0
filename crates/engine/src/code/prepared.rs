//! Code that is ready to be called: compiled, linked and described.

use crate::code::exports::Exports;
use crate::error::EngineError;
use crate::guest::imports::grant_of;
use crate::guest::state::Guest;
use pilum_types::{Digest, FunctionSignature, Grants, Import};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use wasmtime::InstancePre;
use wasmtime::component::InstancePre as ComponentPre;

/// Code that takes longer to instantiate, in nanoseconds, gets a warm pool. A call over
/// HTTP/2 takes some 30 µs for everything else.
const SLOW_INSTANTIATION_NS: u64 = 150_000;
/// Each new measurement counts one part in so many of the mean.
const MEAN_WEIGHT: u64 = 8;

/// An artifact's code, ready to be called.
pub struct Code {
    digest: Digest,
    exports: Exports,
    /// What it imports. All of it is linked.
    imports: Vec<String>,
    /// Whether some import takes a grant.
    needs_grants: bool,
    linked: Linked,
    image_bytes: usize,
    /// A moving mean of how long instantiation takes, in nanoseconds; 0 before the
    /// first measurement.
    instantiation_ns: AtomicU64,
}

/// Linked code, from which instances are made.
pub(crate) enum Linked {
    Core(InstancePre<Guest>),
    Component(ComponentPre<Guest>),
}

impl Code {
    /// The digest of the artifact.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The functions that can be called.
    pub fn functions(&self) -> &[FunctionSignature] {
        &self.exports.signatures
    }

    /// What it imports, and whether a task with these grants gets it.
    pub fn imports(&self, grants: &Grants) -> Vec<Import> {
        let import = |name: &String| Import { name: name.clone(), granted: is_granted(name, grants) };
        self.imports.iter().map(import).collect()
    }

    pub(crate) fn new(
        digest: Digest,
        exports: Exports,
        imports: Vec<String>,
        linked: Linked,
        image_bytes: usize,
    ) -> Self {
        Self {
            digest,
            exports,
            needs_grants: imports.iter().any(|name| grant_of(name).is_some()),
            imports,
            linked,
            image_bytes,
            instantiation_ns: AtomicU64::new(0),
        }
    }

    /// Checks that a task with these grants may run the code.
    ///
    /// # Errors
    /// Names every import that is not granted, and how to grant it.
    pub(crate) fn check_grants(&self, grants: &Grants) -> Result<(), EngineError> {
        if !self.needs_grants {
            return Ok(());
        }
        let missing = self.imports.iter().filter_map(|name| {
            let grant = grant_of(name).filter(|grant| !(grant.is_given)(grants))?;
            Some(grant.missing(name))
        });
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() { Ok(()) } else { Err(EngineError::ImportsNotGranted { missing }) }
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.exports
    }

    pub(crate) fn linked(&self) -> &Linked {
        &self.linked
    }

    /// Adds a measurement of how long instantiation took.
    pub(crate) fn record_instantiation(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let mean = self.instantiation_ns.load(Ordering::Relaxed);
        let mean = if mean == 0 { took } else { mean - mean / MEAN_WEIGHT + took / MEAN_WEIGHT };
        // Two calls that record at once may lose one measurement, which does no harm.
        self.instantiation_ns.store(mean, Ordering::Relaxed);
    }

    /// Whether instantiation takes so long that a warm pool is worth its memory.
    pub(crate) fn is_slow_to_instantiate(&self) -> bool {
        self.instantiation_ns.load(Ordering::Relaxed) > SLOW_INSTANTIATION_NS
    }

    /// Bytes of native code and data, which is what the code counts for in a cache.
    pub(crate) fn image_bytes(&self) -> usize {
        self.image_bytes
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("digest", &self.digest).finish_non_exhaustive()
    }
}

fn is_granted(import: &str, grants: &Grants) -> bool {
    grant_of(import).is_none_or(|grant| (grant.is_given)(grants))
}

//! The whole store, with real servers, real files and a real disk.

mod disk;
mod file;
mod inward;
mod server;
mod sharing;
mod web;

use crate::{ArtifactConfig, ArtifactError, ArtifactStore, VerifiedArtifact};
use pilum_outbound::{Lookup, Outbound, Resolver, is_public};
use pilum_types::{ArtifactSource, Digest};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// Where test servers listen. In tests this one loopback address counts as public. All
/// other addresses follow the usual rules.
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 77, 0, 1));

/// A store in a directory of its own.
struct Bench {
    store: ArtifactStore,
    config: ArtifactConfig,
    directory: TempDir,
}

impl Bench {
    /// A store that takes sources without checksums, after `set` changed its configuration.
    fn new(set: impl FnOnce(&mut ArtifactConfig)) -> Self {
        Self::with_lookup(Resolver::system_lookup(), set)
    }

    fn with_lookup(lookup: Lookup, set: impl FnOnce(&mut ArtifactConfig)) -> Self {
        let directory = TempDir::new().unwrap();
        let mut config = ArtifactConfig::new(directory.path().join("data"));
        config.allow_missing_checksum = true;
        set(&mut config);
        let store = ArtifactStore::with_outbound(config.clone(), outbound(lookup)).unwrap();
        Self { store, config, directory }
    }

    /// The same directory after a restart.
    fn reopened(self, set: impl FnOnce(&mut ArtifactConfig)) -> Self {
        let Self { store, mut config, directory } = self;
        drop(store);
        set(&mut config);
        let store =
            ArtifactStore::with_outbound(config.clone(), outbound(Resolver::system_lookup())).unwrap();
        Self { store, config, directory }
    }

    async fn fetch(
        &self,
        location: impl Into<String>,
        checksum: Option<Digest>,
    ) -> Result<VerifiedArtifact, ArtifactError> {
        self.store.fetch(&ArtifactSource { location: location.into(), checksum }).await
    }

    /// Names of the blobs on disk, sorted.
    fn blobs(&self) -> Vec<Digest> {
        let shards = fs::read_dir(self.config.directory.join("blobs/sha256")).unwrap();
        let blobs = shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap());
        let mut digests: Vec<Digest> =
            blobs.map(|blob| blob.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
        digests.sort_unstable();
        digests
    }

    fn blob_path(&self, digest: Digest) -> PathBuf {
        let hex = digest.to_hex();
        self.config.directory.join("blobs/sha256").join(&hex[..2]).join(hex)
    }

    /// How many temporary files there are.
    fn temporaries(&self) -> usize {
        fs::read_dir(self.config.directory.join("blobs/tmp")).unwrap().count()
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    VerifiedArtifact::hashed(bytes.to_vec()).digest()
}

fn outbound(lookup: Lookup) -> Outbound {
    let allows = |address| address == SERVER || is_public(address);
    Outbound::with_resolver(Resolver::new(allows, lookup)).unwrap()
}

/// A lookup that gives one answer after the other for any name, and the answers that
/// are left.
fn scripted_lookup(answers: Vec<Vec<IpAddr>>) -> (Lookup, Arc<Mutex<Vec<Vec<IpAddr>>>>) {
    let left = Arc::new(Mutex::new(answers));
    let script = left.clone();
    let lookup: Lookup = Arc::new(move |_| {
        let answer = script.lock().unwrap().remove(0);
        Box::pin(async move { Ok(answer.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect()) })
    });
    (lookup, left)
}

#[track_caller]
fn unavailable(fetched: Result<VerifiedArtifact, ArtifactError>) -> (String, u32) {
    match fetched {
        Err(ArtifactError::Unavailable { cause, attempts, .. }) => (cause, attempts),
        other => panic!("expected Unavailable, found {other:?}"),
    }
}

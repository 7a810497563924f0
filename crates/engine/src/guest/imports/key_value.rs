//! `wasi:keyvalue`: buckets of values that belong to the task. The host stores them
//! behind a port.

pub(crate) mod port;

use crate::guest::imports::grant::Grant;
use crate::guest::imports::key_value::bindings::wasi::keyvalue::{atomics, batch, store};
use crate::guest::imports::key_value::port::{KeyValue, KeyValueError};
use crate::guest::state::Guest;
use pilum_call::RevisionKey;
use std::sync::Arc;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTableError};

/// What the engine knows of this grant.
pub(super) const GRANT: Grant = Grant {
    package: "wasi:keyvalue/",
    manifest_entry: "[grants] key_value = true",
    is_given: |grants| grants.key_value,
    add_to_linker,
};

/// The longest name of a bucket, in bytes. The host holds the names of open buckets.
const BUCKET_NAME_MAX_BYTES: usize = 256;

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/key_value.wit",
        interfaces: "
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
        ",
        imports: {
            "wasi:keyvalue/store.open": trappable,
            "wasi:keyvalue/store.[drop]bucket": trappable,
            default: async | trappable,
        },
        with: { "wasi:keyvalue/store.bucket": crate::guest::imports::key_value::Bucket },
        trappable_error_type: { "wasi:keyvalue/store.error" => crate::guest::imports::key_value::OperationError },
    });
}

/// A bucket that a guest has opened.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub struct Bucket(Arc<str>);

/// Why an operation of a guest has no result.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub enum OperationError {
    /// The guest gets the error and goes on.
    Returned(store::Error),
    /// The guest broke a rule of the component model, and is stopped.
    Trap(wasmtime::Error),
}

type Result<T> = std::result::Result<T, OperationError>;

/// A bucket, ready for an operation.
struct OpenBucket {
    values: Arc<dyn KeyValue>,
    revision: RevisionKey,
    name: Arc<str>,
}

impl store::Host for Guest {
    fn open(&mut self, name: String) -> Result<Resource<Bucket>> {
        values_of(self)?;
        if name.len() > BUCKET_NAME_MAX_BYTES {
            return Err(OperationError::Returned(store::Error::NoSuchStore));
        }
        Ok(self.handles().push(Bucket(name.into()))?)
    }

    fn convert_error(&mut self, error: OperationError) -> wasmtime::Result<store::Error> {
        match error {
            OperationError::Returned(error) => Ok(error),
            OperationError::Trap(error) => Err(error),
        }
    }
}

impl store::HostBucket for Guest {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        let mut found = values.get(revision, name, vec![key]).await?;
        Ok(found.pop().flatten())
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<()> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        Ok(values.set(revision, name, vec![(key, value)]).await?)
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<()> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        Ok(values.delete(revision, name, vec![key]).await?)
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<bool> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        let mut found = values.get(revision, name, vec![key]).await?;
        Ok(found.pop().flatten().is_some())
    }

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<u64>,
    ) -> Result<store::KeyResponse> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        let (keys, cursor) = values.keys(revision, name, cursor.unwrap_or(0)).await?;
        Ok(store::KeyResponse { keys, cursor })
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.handles().delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Guest {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Result<u64> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        Ok(values.increment(revision, name, key, delta).await?)
    }
}

impl batch::Host for Guest {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        let found = values.get(revision, name, keys.clone()).await?;
        Ok(keys.into_iter().zip(found).map(|(key, value)| value.map(|value| (key, value))).collect())
    }

    async fn set_many(&mut self, bucket: Resource<Bucket>, pairs: Vec<(String, Vec<u8>)>) -> Result<()> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        Ok(values.set(revision, name, pairs).await?)
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<()> {
        let OpenBucket { values, revision, name } = opened(self, &bucket)?;
        Ok(values.delete(revision, name, keys).await?)
    }
}

impl From<KeyValueError> for OperationError {
    fn from(KeyValueError(text): KeyValueError) -> Self {
        Self::Returned(store::Error::Other(text))
    }
}

impl From<ResourceTableError> for OperationError {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    atomics::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    batch::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

/// Where the task's values are stored, if the task was granted any.
fn values_of(guest: &Guest) -> Result<(Arc<dyn KeyValue>, RevisionKey)> {
    let granted = guest.grants().is_some_and(|grants| (GRANT.is_given)(grants));
    let values = guest.services().and_then(|services| services.key_value.clone());
    match values.zip(guest.revision().cloned()).filter(|_| granted) {
        Some(values) => Ok(values),
        None => Err(OperationError::Returned(store::Error::AccessDenied)),
    }
}

/// The bucket of a handle. A handle that the guest does not have is a trap.
fn opened(guest: &Guest, bucket: &Resource<Bucket>) -> Result<OpenBucket> {
    let handles = guest.handles_ref().ok_or(ResourceTableError::NotPresent)?;
    let name = Arc::clone(&handles.get(bucket)?.0);
    let (values, revision) = values_of(guest)?;
    Ok(OpenBucket { values, revision, name })
}

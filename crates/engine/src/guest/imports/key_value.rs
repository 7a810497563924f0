//! `wasi:keyvalue`: buckets of a task's own, kept by the host behind a port.

use crate::guest::Guest;
use pilum_call::RevisionKey;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

/// The version in use.
const STORE: &str = "wasi:keyvalue/store@0.2.0-draft";
const ATOMICS: &str = "wasi:keyvalue/atomics@0.2.0-draft";
const BATCH: &str = "wasi:keyvalue/batch@0.2.0-draft";
/// The longest name of a bucket, in bytes.
const BUCKET_NAME_MAX_BYTES: usize = 256;

/// Keeps values by task, bucket and key. What one task keeps, no other can reach.
pub trait KeyValue: fmt::Debug + Send + Sync {
    /// The values of keys, `None` for those that are not there.
    fn get(&self, owner: RevisionKey, bucket: Arc<str>, keys: Vec<String>) -> Running<Vec<Option<Vec<u8>>>>;

    /// Sets keys, all or none of them.
    fn set(&self, owner: RevisionKey, bucket: Arc<str>, pairs: Vec<(String, Vec<u8>)>) -> Running<()>;

    /// Deletes keys, as far as they are there.
    fn delete(&self, owner: RevisionKey, bucket: Arc<str>, keys: Vec<String>) -> Running<()>;

    /// Some keys, and where those after them begin, if there are any.
    fn keys(&self, owner: RevisionKey, bucket: Arc<str>, after: u64) -> Running<(Vec<String>, Option<u64>)>;

    /// Adds to a number, which is kept as decimal text and begins at 0.
    fn increment(&self, owner: RevisionKey, bucket: Arc<str>, key: String, delta: u64) -> Running<u64>;
}

/// An operation under way.
pub type Running<T> = Pin<Box<dyn Future<Output = std::result::Result<T, KeyValueError>> + Send>>;

/// Why an operation failed, in words for the guest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyValueError(pub String);

/// A bucket that a guest has opened.
#[derive(Debug)]
struct Bucket(Arc<str>);

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
struct KeyResponse {
    keys: Vec<String>,
    cursor: Option<u64>,
}

type Answer<T> = std::result::Result<T, Error>;
type Handle = Resource<Bucket>;
/// Where values are kept, whose they are, and in which bucket.
type Opened = (Arc<dyn KeyValue>, RevisionKey, Arc<str>);

impl From<KeyValueError> for Error {
    fn from(KeyValueError(text): KeyValueError) -> Self {
        Self::Other(text)
    }
}

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    add_store(linker)?;
    linker.instance(ATOMICS)?.func_wrap_async(
        "increment",
        |store: Context<'_>, (bucket, key, delta): (Handle, String, u64)| {
            Box::new(async move {
                let (values, task, bucket) = match opened(&store, &bucket)? {
                    Ok(opened) => opened,
                    Err(error) => return Ok((Answer::<u64>::Err(error),)),
                };
                Ok((values.increment(task, bucket, key, delta).await.map_err(Error::from),))
            })
        },
    )?;
    add_batch(linker)
}

type Context<'a> = StoreContextMut<'a, Guest>;

fn add_store(linker: &mut Linker<Guest>) -> Result<()> {
    let mut instance = linker.instance(STORE)?;
    instance.resource("bucket", ResourceType::host::<Bucket>(), |mut store, rep| {
        store.data_mut().handles().delete(Handle::new_own(rep))?;
        Ok(())
    })?;
    instance.func_wrap("open", |mut store: Context<'_>, (name,): (String,)| {
        if store.data().key_value().is_none() {
            return Ok((Answer::<Handle>::Err(Error::AccessDenied),));
        }
        if name.len() > BUCKET_NAME_MAX_BYTES {
            return Ok((Err(Error::NoSuchStore),));
        }
        Ok((Ok(store.data_mut().handles().push(Bucket(name.into()))?),))
    })?;
    instance.func_wrap_async(
        "[method]bucket.get",
        |store: Context<'_>, (bucket, key): (Handle, String)| {
            Box::new(async move {
                let (values, task, bucket) = match opened(&store, &bucket)? {
                    Ok(opened) => opened,
                    Err(error) => return Ok((Answer::<Option<Vec<u8>>>::Err(error),)),
                };
                let found = values.get(task, bucket, vec![key]).await;
                Ok((found.map(|mut found| found.pop().flatten()).map_err(Error::from),))
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]bucket.exists",
        |store: Context<'_>, (bucket, key): (Handle, String)| {
            Box::new(async move {
                let (values, task, bucket) = match opened(&store, &bucket)? {
                    Ok(opened) => opened,
                    Err(error) => return Ok((Answer::<bool>::Err(error),)),
                };
                let found = values.get(task, bucket, vec![key]).await;
                Ok((found.map(|mut found| found.pop().flatten().is_some()).map_err(Error::from),))
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]bucket.set",
        |store: Context<'_>, (bucket, key, value): (Handle, String, Vec<u8>)| {
            Box::new(async move {
                let (values, task, bucket) = match opened(&store, &bucket)? {
                    Ok(opened) => opened,
                    Err(error) => return Ok((Answer::<()>::Err(error),)),
                };
                Ok((values.set(task, bucket, vec![(key, value)]).await.map_err(Error::from),))
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]bucket.delete",
        |store: Context<'_>, (bucket, key): (Handle, String)| {
            Box::new(async move {
                let (values, task, bucket) = match opened(&store, &bucket)? {
                    Ok(opened) => opened,
                    Err(error) => return Ok((Answer::<()>::Err(error),)),
                };
                Ok((values.delete(task, bucket, vec![key]).await.map_err(Error::from),))
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]bucket.list-keys",
        |store: Context<'_>, (bucket, cursor): (Handle, Option<u64>)| {
            Box::new(async move {
                let (values, task, bucket) = match opened(&store, &bucket)? {
                    Ok(opened) => opened,
                    Err(error) => return Ok((Answer::<KeyResponse>::Err(error),)),
                };
                let found = values.keys(task, bucket, cursor.unwrap_or(0)).await;
                Ok((found.map(|(keys, cursor)| KeyResponse { keys, cursor }).map_err(Error::from),))
            })
        },
    )
}

type Found = Vec<Option<(String, Vec<u8>)>>;

fn add_batch(linker: &mut Linker<Guest>) -> Result<()> {
    let mut instance = linker.instance(BATCH)?;
    instance.func_wrap_async("get-many", |store: Context<'_>, (bucket, keys): (Handle, Vec<String>)| {
        Box::new(async move {
            let (values, task, bucket) = match opened(&store, &bucket)? {
                Ok(opened) => opened,
                Err(error) => return Ok((Answer::<Found>::Err(error),)),
            };
            let found = values.get(task, bucket, keys.clone()).await;
            let paired = |found: Vec<Option<Vec<u8>>>| {
                keys.into_iter().zip(found).map(|(key, value)| value.map(|value| (key, value))).collect()
            };
            Ok((found.map(paired).map_err(Error::from),))
        })
    })?;
    instance.func_wrap_async(
        "set-many",
        |store: Context<'_>, (bucket, pairs): (Handle, Vec<(String, Vec<u8>)>)| {
            Box::new(async move {
                let (values, task, bucket) = match opened(&store, &bucket)? {
                    Ok(opened) => opened,
                    Err(error) => return Ok((Answer::<()>::Err(error),)),
                };
                Ok((values.set(task, bucket, pairs).await.map_err(Error::from),))
            })
        },
    )?;
    instance.func_wrap_async("delete-many", |store: Context<'_>, (bucket, keys): (Handle, Vec<String>)| {
        Box::new(async move {
            let (values, task, bucket) = match opened(&store, &bucket)? {
                Ok(opened) => opened,
                Err(error) => return Ok((Answer::<()>::Err(error),)),
            };
            Ok((values.delete(task, bucket, keys).await.map_err(Error::from),))
        })
    })
}

/// What an operation on a bucket needs; a handle that is none is a trap.
fn opened(store: &Context<'_>, bucket: &Handle) -> Result<Answer<Opened>> {
    let none = || wasmtime::Error::msg("there is no such handle");
    let name = Arc::clone(&store.data().handles_ref().ok_or_else(none)?.get(bucket)?.0);
    Ok(store.data().key_value().map(|(values, task)| (values, task, name)).ok_or(Error::AccessDenied))
}

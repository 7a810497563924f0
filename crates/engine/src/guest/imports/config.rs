//! `wasi:config`: values that the task's owner set.

use crate::guest::Guest;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};
use wasmtime::{Result, StoreContextMut};

/// The versions in use; of one interface, though it once had another name.
const INTERFACES: [&str; 3] = [
    "wasi:config/store@0.2.0-rc.1",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:config/runtime@0.2.0-draft",
];

/// Why a value cannot be had. Ours always can.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "upstream")]
    _Upstream(String),
    #[component(name = "io")]
    _Io(String),
}

type Value = std::result::Result<Option<String>, Error>;
type Values = std::result::Result<Vec<(String, String)>, Error>;

pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    for interface in INTERFACES {
        let mut instance = linker.instance(interface)?;
        instance.func_wrap("get", |store: StoreContextMut<'_, Guest>, (key,): (String,)| {
            let found = values(&store).iter().find(|(name, _)| *name == key);
            let value: Value = Ok(found.map(|(_, value)| value.clone()));
            Ok((value,))
        })?;
        instance.func_wrap("get-all", |store: StoreContextMut<'_, Guest>, (): ()| {
            let all: Values = Ok(values(&store).to_vec());
            Ok((all,))
        })?;
    }
    Ok(())
}

fn values<'a>(store: &'a StoreContextMut<'_, Guest>) -> &'a [(String, String)] {
    let grants = store.data().grants();
    grants.and_then(|grants| grants.config.as_deref()).unwrap_or_default()
}

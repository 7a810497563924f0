//! `wasi:config`: values that the task's owner set.

use crate::guest::imports::config::bindings::wasi;
use crate::guest::imports::grant::Grant;
use crate::guest::state::Guest;
use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

/// What the engine knows of this grant.
pub(super) const GRANT: Grant = Grant {
    package: "wasi:config/",
    manifest_entry: "[grants.config]",
    is_given: |grants| grants.config.is_some(),
    add_to_linker,
};

mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/config.wit",
        interfaces: "
            import wasi:config/store@0.2.0-rc.1;
            import wasi:config/store@0.2.0-draft-2024-09-27;
            import wasi:config/runtime@0.2.0-draft;
        ",
    });
}

/// Implements one version of the interface. Reading a value cannot fail.
macro_rules! implement {
    ($interface:path, $error:path) => {
        impl $interface for Guest {
            fn get(&mut self, key: String) -> std::result::Result<Option<String>, $error> {
                let found = values(self).iter().find(|(name, _)| *name == key);
                Ok(found.map(|(_, value)| value.clone()))
            }

            fn get_all(&mut self) -> std::result::Result<Vec<(String, String)>, $error> {
                Ok(values(self).to_vec())
            }
        }
    };
}

implement!(wasi::config0_2_0_rc_1::store::Host, wasi::config0_2_0_rc_1::store::Error);
implement!(wasi::config0_2_0_draft_2024_09_27::store::Host, wasi::config0_2_0_rc_1::store::Error);
implement!(wasi::config0_2_0_draft::runtime::Host, wasi::config0_2_0_rc_1::store::Error);

fn add_to_linker(linker: &mut Linker<Guest>) -> Result<()> {
    wasi::config0_2_0_rc_1::store::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    wasi::config0_2_0_draft_2024_09_27::store::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    wasi::config0_2_0_draft::runtime::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

fn values(guest: &Guest) -> &[(String, String)] {
    guest.grants().and_then(|grants| grants.config.as_deref()).unwrap_or_default()
}

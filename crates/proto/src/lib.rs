//! The wire contract as Rust types: the code generated from `proto/`, and the one
//! conversion that client and server share.
//!
//! - [`spearlet`]: messages, client and server of `spearlet.FunctionService`.
//! - [`pilum::v1`]: the same of `pilum.v1.HostService`.
//! - [`FILE_DESCRIPTOR_SET`]: the compiled contract, for reflection.
//! - [`value`]: [`pilum_types::Value`] to and from `google.protobuf.Any`. The gateway and
//!   the client need it in opposite directions and may not import each other, so it is
//!   here, written once.
//!
//! **Invariant:** this crate decides nothing. It has no check of a request, no default and
//! no status code. Only the gateway knows what a message means.

pub mod value;

/// Package `spearlet`: generated, documented in `proto/spearlet/function.proto`.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    unused_qualifications,
    reason = "the code generator writes this code"
)]
pub mod spearlet {
    include!(concat!(env!("OUT_DIR"), "/spearlet.rs"));
}

/// Package `pilum`: what Pilum adds to the function API.
pub mod pilum {
    /// Package `pilum.v1`: generated, documented in `proto/pilum/v1/`.
    #[expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        clippy::too_many_lines,
        unused_qualifications,
        reason = "the code generator writes this code"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/pilum.v1.rs"));
    }
}

/// The compiled contract with everything it imports, as an encoded
/// `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

/// Longest request message that a host accepts and a client sends, in bytes: room for the
/// parameters of one call. A larger input should be passed as a URL.
pub const REQUEST_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Longest response message that a host sends and a client accepts, in bytes. A result may
/// be larger than its request, and a page of a listing holds many entries.
pub const RESPONSE_MAX_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod contract;

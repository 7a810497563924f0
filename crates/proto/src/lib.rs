//! The wire contract as Rust types: everything generated from `proto/`, and the
//! one conversion that both ends of the wire share.
//!
//! - [`spearlet`]: messages, client and server of `spearlet.FunctionService`.
//! - [`pilum::v1`]: the same of `pilum.v1.HostService`.
//! - [`FILE_DESCRIPTOR_SET`]: the compiled contract, for reflection.
//! - [`value`]: [`pilum_types::Value`] to and from `google.protobuf.Any`. Gateway
//!   and client both need it, in opposite directions, and may not import each
//!   other; it is here so that it is written once.
//!
//! **Invariant:** nothing here decides anything. No check of a request, no
//! default, no status code: what a message means is the gateway's business.

pub mod value;

/// Package `spearlet`: generated, documented in `proto/spearlet/function.proto`.
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    reason = "generated code is not ours to phrase"
)]
pub mod spearlet {
    include!(concat!(env!("OUT_DIR"), "/spearlet.rs"));
}

/// Package `pilum`: what Pilum adds of its own.
pub mod pilum {
    /// Package `pilum.v1`: generated, documented in `proto/pilum/v1/`.
    #[expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        unused_qualifications,
        reason = "generated code is not ours to phrase"
    )]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/pilum.v1.rs"));
    }
}

/// The compiled contract with everything it imports, as an encoded
/// `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

/// Longest message either side accepts as a request, in bytes: room for the
/// parameters of one call; larger inputs belong behind a URL.
pub const REQUEST_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Longest message either side accepts as a response, in bytes: a result may be
/// larger than its request, and a page of a listing holds many small ones.
pub const RESPONSE_MAX_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod contract;

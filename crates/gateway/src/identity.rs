//! Whose request it is. Identity lands here, in one function, for both listeners.

use axum::http::HeaderMap;
use pilum_types::TenantId;

/// The tenant that a request's metadata or headers speak for. A host without
/// identities has one tenant.
pub(crate) fn tenant_of(_headers: &HeaderMap) -> TenantId {
    TenantId::default()
}

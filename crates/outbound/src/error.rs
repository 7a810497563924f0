//! Why a request was not sent or not answered.

use http::StatusCode;
use std::error::Error;

/// A URL that this host sends no request to, whatever its address is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct InvalidUrl {
    /// The rule that the URL breaks, for people.
    pub reason: String,
}

/// A request that was not sent or not answered. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The URL breaks a rule, see [`InvalidUrl`]. The URL's author can mend it.
    #[error(transparent)]
    InvalidUrl(#[from] InvalidUrl),
    /// The host of the URL has no address that may be connected to. Nothing was sent.
    #[error("it leads to {host}, whose address is not public")]
    AddressNotPublic {
        /// The host as the URL names it. The addresses that its name resolved to are
        /// not part of the error.
        host: String,
    },
    /// The name does not resolve, or the connection was refused. May pass.
    #[error("{0}")]
    NotConnected(String),
    /// The connection, the answer or the next bytes of a body took too long. May pass.
    #[error("{0}")]
    Timeout(String),
    /// The connection or the protocol broke. May pass.
    #[error("{0}")]
    Broken(String),
    /// The server answered a [`post`](crate::Outbound::post) with a status outside of
    /// the 200s. May pass.
    #[error("it was answered {0}")]
    Status(StatusCode),
    /// The HTTP client cannot be set up. The operator's matter.
    #[error("cannot set up the HTTP client: {0}")]
    Setup(String),
}

impl OutboundError {
    /// Whether this host refused to send the request, so that another try changes
    /// nothing.
    pub const fn is_refused(&self) -> bool {
        match self {
            Self::InvalidUrl(_) | Self::AddressNotPublic { .. } => true,
            Self::NotConnected(_) | Self::Timeout(_) | Self::Broken(_) | Self::Status(_) | Self::Setup(_) => {
                false
            }
        }
    }
}

impl InvalidUrl {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// An error with its causes in one line. A cause that the text has already is not
/// repeated.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

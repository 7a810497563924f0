//! The exported interface: `pilum:examples/emails`.

use exports::pilum::examples::emails::{DomainKind, Email, Guest, Problem, Reason};

use crate::address;

wit_bindgen::generate!({ world: "validate-email" });

struct Component;

impl Guest for Component {
    fn validate_email(address: String) -> Result<Email, Problem> {
        address::validate(&address).map(Email::from).map_err(Problem::from)
    }

    fn validate_all(addresses: Vec<String>) -> Vec<Result<Email, Problem>> {
        addresses.into_iter().map(Self::validate_email).collect()
    }
}

export!(Component);

impl From<address::Email> for Email {
    fn from(email: address::Email) -> Self {
        let kind = match email.kind {
            address::DomainKind::Name => DomainKind::Name,
            address::DomainKind::Ipv4 => DomainKind::Ipv4,
            address::DomainKind::Ipv6 => DomainKind::Ipv6,
        };
        Email { local: email.local, domain: email.domain, kind, tag: email.tag, quoted: email.quoted }
    }
}

impl From<address::Problem> for Problem {
    fn from(problem: address::Problem) -> Self {
        Problem {
            reason: problem.reason.into(),
            position: u32::try_from(problem.position).unwrap_or(u32::MAX),
            message: problem.reason.message().to_owned(),
        }
    }
}

impl From<address::Reason> for Reason {
    fn from(reason: address::Reason) -> Self {
        use address::Reason as Own;
        match reason {
            Own::Empty => Reason::Empty,
            Own::AddressTooLong => Reason::AddressTooLong,
            Own::MissingAt => Reason::MissingAt,
            Own::LocalEmpty => Reason::LocalEmpty,
            Own::LocalTooLong => Reason::LocalTooLong,
            Own::LocalMisplacedDot => Reason::LocalMisplacedDot,
            Own::LocalCharacter => Reason::LocalCharacter,
            Own::LocalQuoting => Reason::LocalQuoting,
            Own::DomainEmpty => Reason::DomainEmpty,
            Own::DomainUnqualified => Reason::DomainUnqualified,
            Own::DomainCharacter => Reason::DomainCharacter,
            Own::LabelEmpty => Reason::LabelEmpty,
            Own::LabelTooLong => Reason::LabelTooLong,
            Own::LabelHyphen => Reason::LabelHyphen,
            Own::TopLevelNumeric => Reason::TopLevelNumeric,
            Own::Literal => Reason::Literal,
        }
    }
}

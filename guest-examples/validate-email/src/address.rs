//! The grammar of an email address: a practical subset of RFC 5321 and RFC 5322.
//!
//! Accepted are a dot-atom or a quoted string, an `@`, and a domain name of two labels
//! or more or an IP address in brackets. The longest lengths are those of RFC 5321 with
//! erratum 1690: 64 bytes before the `@`, 254 in all, 63 in a label. (Its 255 bytes for a
//! domain are never reached.)
//!
//! Not accepted are comments, folding white space and the obsolete forms of RFC 5322,
//! which no mail client produces; addresses beyond ASCII (RFC 6531), except that a domain
//! may be in its `xn--` form; source routes; and domain names of one label, which are
//! legal but in practice a mistake.

use std::net::{Ipv4Addr, Ipv6Addr};

const ADDRESS_MAX_BYTES: usize = 254;
const LOCAL_MAX_BYTES: usize = 64;
const LABEL_MAX_BYTES: usize = 63;

/// The parts of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The text before the `@`, without quotes and escapes.
    pub local: String,
    /// The text after the `@`, in lower case; for a literal, the IP address.
    pub domain: String,
    pub kind: DomainKind,
    /// The part of an unquoted local part after its first plus sign.
    pub tag: Option<String>,
    pub quoted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainKind {
    Name,
    Ipv4,
    Ipv6,
}

/// Why an address is wrong, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    pub reason: Reason,
    pub position: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    Empty,
    AddressTooLong,
    MissingAt,
    LocalEmpty,
    LocalTooLong,
    LocalMisplacedDot,
    LocalCharacter,
    LocalQuoting,
    DomainEmpty,
    DomainUnqualified,
    DomainCharacter,
    LabelEmpty,
    LabelTooLong,
    LabelHyphen,
    TopLevelNumeric,
    Literal,
}

impl Reason {
    /// A sentence for people.
    pub fn message(self) -> &'static str {
        match self {
            Reason::Empty => "the address is empty",
            Reason::AddressTooLong => "the address has more than 254 bytes",
            Reason::MissingAt => "there is no @ after the local part",
            Reason::LocalEmpty => "nothing stands before the @",
            Reason::LocalTooLong => "the part before the @ has more than 64 bytes",
            Reason::LocalMisplacedDot => {
                "a dot may neither begin nor end the local part nor follow another dot"
            }
            Reason::LocalCharacter => "this character may not stand in an unquoted local part",
            Reason::LocalQuoting => "the quoted local part is not closed or holds what it may not",
            Reason::DomainEmpty => "nothing stands after the @",
            Reason::DomainUnqualified => "the domain has one label only",
            Reason::DomainCharacter => "a domain consists of letters, digits, hyphens and dots",
            Reason::LabelEmpty => "a label of the domain is empty",
            Reason::LabelTooLong => "a label of the domain has more than 63 bytes",
            Reason::LabelHyphen => "a label of the domain may neither begin nor end with a hyphen",
            Reason::TopLevelNumeric => "the last label of the domain has digits only",
            Reason::Literal => "what stands in brackets is not an IP address",
        }
    }
}

/// Checks an address and splits it into its parts.
pub fn validate(address: &str) -> Result<Email, Problem> {
    if address.is_empty() {
        return Err(Reason::Empty.at(0));
    }
    if address.len() > ADDRESS_MAX_BYTES {
        return Err(Reason::AddressTooLong.at(ADDRESS_MAX_BYTES));
    }
    let local = if address.starts_with('"') { quoted_local(address)? } else { dot_atom_local(address)? };
    let domain = domain(local.rest, address.len() - local.rest.len())?;
    Ok(Email {
        tag: tag_of(&local),
        local: local.text,
        domain: domain.text,
        kind: domain.kind,
        quoted: local.quoted,
    })
}

impl Reason {
    fn at(self, position: usize) -> Problem {
        Problem { reason: self, position }
    }
}

struct Local<'a> {
    text: String,
    quoted: bool,
    /// The part after the `@`.
    rest: &'a str,
}

struct Domain {
    text: String,
    kind: DomainKind,
}

fn tag_of(local: &Local<'_>) -> Option<String> {
    if local.quoted {
        return None;
    }
    let (name, tag) = local.text.split_once('+')?;
    (!name.is_empty()).then(|| tag.to_owned())
}

/// Atoms of RFC 5322 `atext`, joined by single dots.
fn dot_atom_local(address: &str) -> Result<Local<'_>, Problem> {
    let (local, rest) = match address.split_once('@') {
        Some(parts) => parts,
        None => return Err(Reason::MissingAt.at(address.len())),
    };
    if local.is_empty() {
        return Err(Reason::LocalEmpty.at(0));
    }
    let mut atom_bytes = 0;
    for (position, character) in local.char_indices() {
        if character == '.' {
            if atom_bytes == 0 {
                return Err(Reason::LocalMisplacedDot.at(position));
            }
            atom_bytes = 0;
        } else if is_atext(character) {
            atom_bytes += 1;
        } else {
            return Err(Reason::LocalCharacter.at(position));
        }
    }
    if atom_bytes == 0 {
        return Err(Reason::LocalMisplacedDot.at(local.len() - 1));
    }
    if local.len() > LOCAL_MAX_BYTES {
        return Err(Reason::LocalTooLong.at(LOCAL_MAX_BYTES));
    }
    Ok(Local { text: local.to_owned(), quoted: false, rest })
}

fn is_atext(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(character)
}

/// A quoted string: printable ASCII and spaces, with `\` before `"` and `\`.
fn quoted_local(address: &str) -> Result<Local<'_>, Problem> {
    let mut text = String::new();
    let mut characters = address.char_indices().skip(1);
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => {
                // The length includes the quotes.
                let end = position + 1;
                if end > LOCAL_MAX_BYTES {
                    return Err(Reason::LocalTooLong.at(LOCAL_MAX_BYTES));
                }
                return match characters.next() {
                    Some((_, '@')) => {
                        Ok(Local { text, quoted: true, rest: characters_after(address, end + 1) })
                    }
                    Some((position, _)) => Err(Reason::LocalQuoting.at(position)),
                    None => Err(Reason::MissingAt.at(end)),
                };
            }
            '\\' => match characters.next() {
                Some((_, escaped @ ' '..='~')) => text.push(escaped),
                _ => return Err(Reason::LocalQuoting.at(position)),
            },
            ' '..='~' => text.push(character),
            _ => return Err(Reason::LocalQuoting.at(position)),
        }
    }
    Err(Reason::LocalQuoting.at(address.len()))
}

fn characters_after(address: &str, position: usize) -> &str {
    address.get(position..).unwrap_or_default()
}

/// A literal in brackets or a name, which begins at `offset` of the address.
fn domain(domain: &str, offset: usize) -> Result<Domain, Problem> {
    if domain.is_empty() {
        return Err(Reason::DomainEmpty.at(offset));
    }
    if let Some(rest) = domain.strip_prefix('[') {
        return rest.strip_suffix(']').and_then(literal).ok_or(Reason::Literal.at(offset));
    }
    let mut begin = offset;
    let mut labels = 0_usize;
    let mut last = domain;
    for label in domain.split('.') {
        check_label(label, begin)?;
        begin += label.len() + 1;
        labels += 1;
        last = label;
    }
    if labels < 2 {
        return Err(Reason::DomainUnqualified.at(offset));
    }
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::TopLevelNumeric.at(offset + domain.len() - last.len()));
    }
    Ok(Domain { text: domain.to_ascii_lowercase(), kind: DomainKind::Name })
}

fn literal(text: &str) -> Option<Domain> {
    const IPV6_PREFIX: &str = "IPv6:";
    match text.get(..IPV6_PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(IPV6_PREFIX) => {
            let address: Ipv6Addr = characters_after(text, IPV6_PREFIX.len()).parse().ok()?;
            Some(Domain { text: address.to_string(), kind: DomainKind::Ipv6 })
        }
        _ => {
            let address: Ipv4Addr = text.parse().ok()?;
            Some(Domain { text: address.to_string(), kind: DomainKind::Ipv4 })
        }
    }
}

/// Letters, digits and inner hyphens: the host names of RFC 1123.
fn check_label(label: &str, begin: usize) -> Result<(), Problem> {
    if label.is_empty() {
        return Err(Reason::LabelEmpty.at(begin));
    }
    let strange = |character: char| !character.is_ascii_alphanumeric() && character != '-';
    if let Some(position) = label.find(strange) {
        return Err(Reason::DomainCharacter.at(begin + position));
    }
    if label.len() > LABEL_MAX_BYTES {
        return Err(Reason::LabelTooLong.at(begin + LABEL_MAX_BYTES));
    }
    if label.starts_with('-') {
        return Err(Reason::LabelHyphen.at(begin));
    }
    if label.ends_with('-') {
        return Err(Reason::LabelHyphen.at(begin + label.len() - 1));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

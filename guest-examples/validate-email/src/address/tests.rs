//! Tests of right addresses with their parts, and of wrong addresses with the reason and
//! the position.

use super::{DomainKind, Email, Problem, Reason, validate};

/// The parts as `local | domain | kind`, followed by `+tag` and `quoted` if they apply.
fn check(address: &str, expected: &str) {
    let found = match validate(address) {
        Ok(Email { local, domain, kind, tag, quoted }) => {
            let kind = match kind {
                DomainKind::Name => "name",
                DomainKind::Ipv4 => "ipv4",
                DomainKind::Ipv6 => "ipv6",
            };
            let tag = tag.map(|tag| format!(" +{tag}")).unwrap_or_default();
            let quoted = if quoted { " quoted" } else { "" };
            format!("{local} | {domain} | {kind}{tag}{quoted}")
        }
        Err(Problem { reason, position }) => format!("{reason:?} at {position}"),
    };
    assert_eq!(found, expected, "{address:?}");
}

#[test]
fn ordinary_addresses() {
    check("ada@example.org", "ada | example.org | name");
    check("Ada.Lovelace@Example.ORG", "Ada.Lovelace | example.org | name");
    check("a@b.co", "a | b.co | name");
    check("o'brien_1-2=3@mail.example.co.uk", "o'brien_1-2=3 | mail.example.co.uk | name");
    check("!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~ | example.org | name +-/=?^_`{|}~");
    check("ada@xn--bcher-kva.example", "ada | xn--bcher-kva.example | name");
    check("ada@3com.example", "ada | 3com.example | name");
}

#[test]
fn tags() {
    check("ada+news@example.org", "ada+news | example.org | name +news");
    check("ada+a+b@example.org", "ada+a+b | example.org | name +a+b");
    check("ada+@example.org", "ada+ | example.org | name +");
    check("+ada@example.org", "+ada | example.org | name");
    check(r#""ada+news"@example.org"#, "ada+news | example.org | name quoted");
}

#[test]
fn quoted_local_parts() {
    check(r#""ada lovelace"@example.org"#, "ada lovelace | example.org | name quoted");
    check(r#""a@b"@example.org"#, "a@b | example.org | name quoted");
    check(r#""a\"b\\c"@example.org"#, r#"a"b\c | example.org | name quoted"#);
    check(r#"""@example.org"#, " | example.org | name quoted");
    check(r#""ada@example.org"#, "LocalQuoting at 16");
    check(r#""ada"lovelace@example.org"#, "LocalQuoting at 5");
    check(r#""ada""#, "MissingAt at 5");
    check(r#""ada\"#, "LocalQuoting at 4");
    check("\"ada\t\"@example.org", "LocalQuoting at 4");
    check("\"ädä\"@example.org", "LocalQuoting at 1");
}

#[test]
fn wrong_local_parts() {
    check("", "Empty at 0");
    check("ada", "MissingAt at 3");
    check("@example.org", "LocalEmpty at 0");
    check(".ada@example.org", "LocalMisplacedDot at 0");
    check("ada.@example.org", "LocalMisplacedDot at 3");
    check("a..b@example.org", "LocalMisplacedDot at 2");
    check("a b@example.org", "LocalCharacter at 1");
    check(" ada@example.org", "LocalCharacter at 0");
    check("ada(comment)@example.org", "LocalCharacter at 3");
    check("Ada <ada@example.org>", "LocalCharacter at 3");
    check("jürgen@example.org", "LocalCharacter at 1");
    check("ada\n@example.org", "LocalCharacter at 3");
}

#[test]
fn wrong_domains() {
    check("ada@", "DomainEmpty at 4");
    check("ada@localhost", "DomainUnqualified at 4");
    check("ada@example..org", "LabelEmpty at 12");
    check("ada@.example.org", "LabelEmpty at 4");
    check("ada@example.org.", "LabelEmpty at 16");
    check("ada@-example.org", "LabelHyphen at 4");
    check("ada@example-.org", "LabelHyphen at 11");
    check("ada@exam_ple.org", "DomainCharacter at 8");
    check("ada@b@example.org", "DomainCharacter at 5");
    check("ada@example.org\r\n", "DomainCharacter at 15");
    check("ada@bücher.example", "DomainCharacter at 5");
    check("ada@192.0.2.1", "TopLevelNumeric at 12");
}

#[test]
fn literals() {
    check("ada@[192.0.2.1]", "ada | 192.0.2.1 | ipv4");
    check("ada@[IPv6:2001:DB8:0::1]", "ada | 2001:db8::1 | ipv6");
    check("ada@[ipv6:::1]", "ada | ::1 | ipv6");
    check("ada@[192.0.2.256]", "Literal at 4");
    check("ada@[2001:db8::1]", "Literal at 4");
    check("ada@[192.0.2.1", "Literal at 4");
    check("ada@[]", "Literal at 4");
    check("ada@[ÄÄÄ]", "Literal at 4");
}

#[test]
fn lengths() {
    let local = "l".repeat(64);
    check(&format!("{local}@example.org"), &format!("{local} | example.org | name"));
    check(&format!("{local}l@example.org"), "LocalTooLong at 64");
    let quoted = "q".repeat(62);
    check(&format!("\"{quoted}\"@example.org"), &format!("{quoted} | example.org | name quoted"));
    check(&format!("\"{quoted}q\"@example.org"), "LocalTooLong at 64");

    let label = "d".repeat(63);
    check(&format!("a@{label}.org"), &format!("a | {label}.org | name"));
    check(&format!("a@{label}d.org"), "LabelTooLong at 65");

    let longest = format!("a@{}.{}", [label.as_str(); 3].join("."), "e".repeat(60));
    assert_eq!(longest.len(), 254);
    assert!(validate(&longest).is_ok());
    check(&format!("{longest}e"), "AddressTooLong at 254");
}

#[test]
fn every_reason_has_its_own_message() {
    let addresses = [
        "", "a", "@b.c", ".a@b.c", "a b@b.c", "\"a", "a@", "a@b", "a@b_.c", "a@b..c", "a@-b.c", "a@1.2",
        "a@[]",
    ];
    let mut messages: Vec<_> = addresses
        .iter()
        .filter_map(|address| validate(address).err())
        .map(|problem| problem.reason.message())
        .collect();
    assert_eq!(messages.len(), addresses.len());
    messages.sort_unstable();
    messages.dedup();
    assert_eq!(messages.len(), addresses.len());
    assert_eq!(Reason::Empty.message(), "the address is empty");
}

//! Which locations are read, and which are refused with which text.

use super::*;

fn file(text: &str) -> FilePath {
    match Location::parse(text) {
        Ok(Location::File(path)) => path,
        other => panic!("{text}: {other:?}"),
    }
}

fn refused(text: &str) -> String {
    match Location::parse(text) {
        Err(ArtifactError::InvalidLocation { reason }) => reason,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn files_absolute_and_relative() {
    for (text, path) in [
        ("file:///srv/a.wasm", "/srv/a.wasm"),
        ("FILE:///srv/a.wasm", "/srv/a.wasm"),
        ("file://localhost/srv/a.wasm", "/srv/a.wasm"),
        ("file:/srv/a.wasm", "/srv/a.wasm"),
        ("file:%2Fsrv/a.wasm", "/srv/a.wasm"),
        ("file:///srv/a%20b.wasm", "/srv/a b.wasm"),
        ("file:///srv/%2561", "/srv/%61"),
        ("file:///srv/%c3%BC", "/srv/ü"),
    ] {
        assert_eq!(file(text), FilePath::Absolute(path.into()), "{text}");
    }
    assert_eq!(file("file:a/b.wasm"), FilePath::Relative("a/b.wasm".into()));
    assert_eq!(file("file:..%2Fb.wasm"), FilePath::Relative("../b.wasm".into()));
}

#[test]
fn bad_file_locations_are_refused() {
    for (text, says) in [
        ("file:", "empty"),
        ("file://", "names a host"),
        ("file://server/share/a.wasm", "names a host"),
        ("file:a%00.wasm", "control character"),
        ("file:a%0a.wasm", "control character"),
        ("file:a\0.wasm", "control character"),
        ("file:a b", "white space"),
        ("file:a%2", "two hex digits"),
        ("file:a%", "two hex digits"),
        ("file:a%zz", "two hex digits"),
        ("file:a%+1", "two hex digits"),
        ("file:a%ff", "not UTF-8"),
        ("file:a?b", "no query"),
        ("file:a#b", "no query"),
    ] {
        assert!(refused(text).contains(says), "{text}: {}", refused(text));
    }
}

#[test]
fn web_locations() {
    let text = "https://example.com:8443/a/b.wasm?version=1";
    assert_eq!(Location::parse(text), Ok(Location::Web(text.parse().unwrap())));
    for (text, says) in [
        ("", "no scheme"),
        ("a.wasm", "no scheme"),
        ("ftp://example.com/a", "known are file:, http: and https:"),
        ("oci://example.com/a", "known are file:, http: and https:"),
        ("http://", "empty host"),
        ("http:example.com/a", "scheme://host/path"),
        ("http:/example.com/a", "scheme://host/path"),
        ("http:\\\\example.com/a", "scheme://host/path"),
        ("http://example.com\\@127.0.0.1/", "backslashes"),
        ("http://user@example.com/a", "credentials"),
        ("http://user:secret@example.com/a", "credentials"),
        ("http://:secret@example.com/a", "credentials"),
        ("http://example.com:99999/a", "invalid port"),
        ("http://1.2.3.4.5/a", "IPv4"),
        ("http://[::1/a", "IPv6"),
        ("http://example.com/a\r\nHost: b", "control character"),
        (" http://example.com/a", "white space"),
    ] {
        assert!(refused(text).contains(says), "{text}: {}", refused(text));
    }
}

#[test]
fn the_length_is_bounded() {
    let prefix = "http://example.com/";
    let fits = format!("{prefix}{}", "a".repeat(pilum_outbound::URL_MAX_BYTES - prefix.len()));
    assert!(Location::parse(&fits).is_ok());
    assert!(refused(&format!("{fits}a")).contains("2049 bytes"));
}

#[test]
fn the_query_is_not_without_query() {
    assert_eq!(without_query("https://example.com/a?signature=s#f"), "https://example.com/a");
    assert_eq!(without_query("file:a"), "file:a");
}

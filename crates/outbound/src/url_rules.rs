//! Which URLs a request may be sent to, as far as their text tells.

use crate::error::InvalidUrl;
use url::Url;

/// The longest URL, in bytes: servers and proxies take at least this much. A
/// presigned URL has a few hundred bytes.
pub const URL_MAX_BYTES: usize = 2_048;

/// Checks the length and the characters of a text that will be read as a URL.
///
/// # Errors
/// [`InvalidUrl`] when the text is longer than [`URL_MAX_BYTES`] or has white space or
/// a control character.
pub fn check_text(text: &str) -> Result<(), InvalidUrl> {
    if text.len() > URL_MAX_BYTES {
        let reason = format!("it has {} bytes, at most {URL_MAX_BYTES} are allowed", text.len());
        return Err(InvalidUrl { reason });
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(InvalidUrl::new("it holds white space or a control character, write %20 for a space"));
    }
    Ok(())
}

/// Reads an `https:` or `http:` URL.
///
/// # Errors
/// [`InvalidUrl`] names the rule that the text breaks.
pub fn parse_url(text: &str) -> Result<Url, InvalidUrl> {
    check_text(text)?;
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(InvalidUrl::new("it has no scheme; it must be an https: or http: URL"));
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        let reason = format!("its scheme is {scheme:?}; it must be an https: or http: URL");
        return Err(InvalidUrl { reason });
    }
    // The url crate takes `http:host`, `http:/host` and `http:\\host` too, as browsers
    // do. With one spelling, fewer programs can disagree about what a URL means.
    if !rest.starts_with("//") || rest.contains('\\') {
        return Err(InvalidUrl::new("it must be written scheme://host/path, without backslashes"));
    }
    let url = Url::parse(text).map_err(|error| InvalidUrl::new(error.to_string()))?;
    check_parts(&url)?;
    Ok(url)
}

/// Checks the URL that a redirect leads to.
///
/// # Errors
/// [`InvalidUrl`] names the rule that the URL breaks.
pub fn check_redirect(url: &Url) -> Result<(), InvalidUrl> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvalidUrl::new(format!("it redirects to the scheme {:?}", url.scheme())));
    }
    check_parts(url)
}

fn check_parts(url: &Url) -> Result<(), InvalidUrl> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidUrl::new("it holds credentials, which would end up in logs and listings"));
    }
    if url.as_str().len() > URL_MAX_BYTES {
        return Err(InvalidUrl::new(format!("it leads to a URL of over {URL_MAX_BYTES} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_in_one_spelling() {
        let check = |text: &str, says: Option<&str>| match (parse_url(text), says) {
            (Ok(url), None) => assert_eq!(url.as_str(), text),
            (Err(error), Some(says)) => assert!(error.reason.contains(says), "{text}: {error}"),
            (found, _) => panic!("{text}: {found:?}"),
        };
        check("https://example.com:8443/a?version=1", None);
        check("example.com/a", Some("no scheme"));
        check("file:///etc/passwd", Some("https: or http:"));
        check("gopher://example.com/", Some("gopher"));
        check("https:/example.com", Some("scheme://"));
        check("http:\\\\example.com/", Some("scheme://"));
        check("https://user:word@example.com/", Some("credentials"));
        check("https://example.com/a b", Some("white space"));
        check(&format!("https://example.com/{}", "a".repeat(URL_MAX_BYTES)), Some("at most 2048"));
    }

    #[test]
    fn a_redirect_leads_to_a_web_server() {
        let says = |text: &str| check_redirect(&text.parse().unwrap()).unwrap_err().reason;
        assert_eq!(says("file:///etc/passwd"), "it redirects to the scheme \"file\"");
        assert!(says("https://user@example.com/").contains("credentials"));
        assert!(says(&format!("https://example.com/{}", "a".repeat(3_000))).contains("over 2048 bytes"));
        assert_eq!(check_redirect(&"https://example.com/a".parse().unwrap()), Ok(()));
    }
}

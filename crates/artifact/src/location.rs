//! A location's text, read before anything is touched.

use crate::ArtifactError;
use std::path::PathBuf;
use url::Url;

/// Longest location, in bytes: what servers and proxies take at the least. A
/// presigned URL has a few hundred.
const LOCATION_MAX_BYTES: usize = 2_048;

/// A location that can be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file below one of the operator's roots.
    File(FilePath),
    /// Something on a web server.
    Web(Url),
    /// Bytes that somebody uploaded: they are here, or nowhere.
    Uploaded,
}

/// The location of what was uploaded; its digest says what it is.
pub(crate) const UPLOADED: &str = "uploaded:";

/// A decoded path. Whether it stays below a root is for `roots.rs` to enforce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FilePath {
    /// Must lie below a root.
    Absolute(PathBuf),
    /// Looked up below each root in order.
    Relative(PathBuf),
}

impl Location {
    /// Reads a location.
    ///
    /// # Errors
    /// [`ArtifactError::InvalidLocation`] names the rule it breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, ArtifactError> {
        if text.len() > LOCATION_MAX_BYTES {
            let reason = format!("it has {} bytes, at most {LOCATION_MAX_BYTES} are allowed", text.len());
            return Err(ArtifactError::InvalidLocation { reason });
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(ArtifactError::location(
                "it holds white space or a control character, write %20 for a space",
            ));
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(ArtifactError::location("it has no scheme; known are file:, http: and https:"));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => parse_file(rest).map(Self::File),
            "uploaded" if rest.is_empty() => Ok(Self::Uploaded),
            "http" | "https" => parse_web(text, rest).map(Self::Web),
            _ => Err(ArtifactError::location(format!(
                "its scheme {scheme:?} is not known; known are file:, http: and https:"
            ))),
        }
    }
}

/// Checks a URL that a location or a redirect gave.
///
/// # Errors
/// [`ArtifactError::InvalidLocation`] names the rule it breaks.
pub(crate) fn check_web(url: &Url) -> Result<(), ArtifactError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ArtifactError::location(format!("it redirects to the scheme {:?}", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ArtifactError::location("it holds credentials, which would end up in logs and listings"));
    }
    if url.as_str().len() > LOCATION_MAX_BYTES {
        return Err(ArtifactError::location(format!("it leads to a URL of over {LOCATION_MAX_BYTES} bytes")));
    }
    Ok(())
}

/// A location as it may be shown and logged: without its query and fragment,
/// which may hold a signature. Every text that [`Location::parse`] takes is free
/// of control characters.
pub(crate) fn shown(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or(text)
}

fn parse_web(text: &str, rest: &str) -> Result<Url, ArtifactError> {
    // The url crate takes `http:host`, `http:/host` and `http:\\host` too, as
    // browsers do. One spelling is enough, and leaves less to disagree about.
    if !rest.starts_with("//") || rest.contains('\\') {
        return Err(ArtifactError::location("it must be written scheme://host/path, without backslashes"));
    }
    let url = Url::parse(text).map_err(|error| ArtifactError::location(error.to_string()))?;
    check_web(&url)?;
    Ok(url)
}

/// `//host/path`, `/path` or `path`. Not read by the url crate, which makes
/// every path absolute and takes `..` for the parent in the text, while on disk
/// it is the parent of wherever a symlink led.
fn parse_file(rest: &str) -> Result<FilePath, ArtifactError> {
    if rest.contains(['?', '#']) {
        return Err(ArtifactError::location(
            "a file: location has no query and no fragment, write %3F and %23",
        ));
    }
    let path = match rest.strip_prefix("//").map(|authority| authority.split_once('/')) {
        None => rest.to_owned(),
        Some(Some(("" | "localhost", path))) => format!("/{path}"),
        Some(_) => {
            let reason = "it names a host; write file:///absolute/path or file:path/below/a/root";
            return Err(ArtifactError::location(reason));
        }
    };
    let path = percent_decode(&path)?;
    if path.is_empty() {
        return Err(ArtifactError::location("its path is empty"));
    }
    if path.chars().any(char::is_control) {
        return Err(ArtifactError::location("its path holds an encoded control character"));
    }
    Ok(if path.starts_with('/') { FilePath::Absolute(path.into()) } else { FilePath::Relative(path.into()) })
}

/// Decodes once, and only what is well-formed: `%2561` is `%61`, not `a`.
fn percent_decode(text: &str) -> Result<String, ArtifactError> {
    let malformed = || ArtifactError::location("a % in its path is not followed by two hex digits");
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(malformed()) };
        decoded.push(u8::try_from(high * 16 + low).map_err(|_| malformed())?);
    }
    String::from_utf8(decoded).map_err(|_| ArtifactError::location("its path is not UTF-8"))
}

#[cfg(test)]
mod tests;

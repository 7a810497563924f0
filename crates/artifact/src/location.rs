//! A location's text, read before any file or network is touched.

use crate::ArtifactError;
use pilum_outbound::{check_text, parse_url};
use std::path::PathBuf;
use url::Url;

/// The location of uploaded bytes. Their digest says which bytes are meant.
pub(crate) const UPLOADED: &str = "uploaded:";

/// A location that can be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A file below one of the operator's roots.
    File(FilePath),
    /// A URL on a web server.
    Web(Url),
    /// Bytes that a client uploaded. They are in the store or nowhere.
    Uploaded,
}

/// A decoded path. `roots.rs` enforces that it stays below a root.
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
    /// [`ArtifactError::InvalidLocation`] names the rule that the text breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, ArtifactError> {
        check_text(text)?;
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(ArtifactError::location("it has no scheme; known are file:, http: and https:"));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => parse_file(rest).map(Self::File),
            "uploaded" if rest.is_empty() => Ok(Self::Uploaded),
            "http" | "https" => Ok(Self::Web(parse_url(text)?)),
            _ => Err(ArtifactError::location(format!(
                "its scheme {scheme:?} is not known; known are file:, http: and https:"
            ))),
        }
    }
}

/// A location as it may be shown and logged: without its query and fragment, which may
/// hold a signature. A text that [`Location::parse`] takes has no control characters.
pub(crate) fn without_query(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or(text)
}

/// Reads `//host/path`, `/path` or `path`. The url crate is not used here: it makes every
/// path absolute, and it removes `..` with the name before it in the text. On disk, `..`
/// is the parent of the folder that a symlink led to.
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

/// Decodes once: `%2561` becomes `%61`, not `a`. A malformed escape is an error.
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

//! The SHA-256 digest that names an artifact's bytes.

use std::fmt;
use std::str::FromStr;

/// Hex digits of a SHA-256 digest: two for each of its 32 bytes.
const HEX_DIGITS: usize = 64;

/// A SHA-256 digest. Its text is `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// The text is not a SHA-256 digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected sha256: and 64 hex digits (the prefix may be left out)")]
pub struct InvalidDigest;

impl Digest {
    /// Wraps the 32 bytes that a SHA-256 function returned.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest as bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 lower-case hex digits without a prefix, as used in file names.
    pub fn to_hex(&self) -> String {
        use fmt::Write as _;
        let mut hex = String::with_capacity(HEX_DIGITS);
        for byte in self.0 {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    /// Accepts `sha256:<hex>` and `<hex>` alone, with upper-case or lower-case digits.
    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.len() != HEX_DIGITS || !hex.is_ascii() {
            return Err(InvalidDigest);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            let digit = |d: Option<&u8>| d.and_then(|d| (*d as char).to_digit(16));
            let (Some(high), Some(low)) = (digit(pair.first()), digit(pair.last())) else {
                return Err(InvalidDigest);
            };
            *byte = (high * 16 + low) as u8;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let digest = Digest::from_bytes(std::array::from_fn(|i| (i * 7) as u8));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_hex().to_uppercase().parse(), Ok(digest));
    }

    #[test]
    fn refuses_other_texts() {
        for text in ["", "sha256:", "sha256:12", "md5:00", &"g".repeat(64), &"ü".repeat(32)] {
            assert_eq!(text.parse::<Digest>(), Err(InvalidDigest), "{text}");
        }
    }
}

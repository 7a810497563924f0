//! Parameters and results, without the types of the function. Integers keep their 64 bits:
//! none of them is converted to a float.

/// A value as in JSON, and bytes. Integers and floats are separate kinds.
///
/// Two values are equal when a caller sends the same text for both. Floats compare by
/// their bits, so NaN equals itself.
#[derive(Debug, Clone)]
pub enum Value {
    /// No value: an absent option, or the result of a function that returns nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number in the range of `i64`.
    Signed(i64),
    /// A whole number in the range of `u64`. Numbers that fit `i64` may come as either
    /// kind.
    Unsigned(u64),
    /// A floating-point number, including NaN and the infinities.
    Number(f64),
    /// Text.
    String(String),
    /// Bytes. Only parameters have them; a result uses base64 text.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Named values in the order of the message. A name that comes twice is an error where
    /// a record is expected.
    Object(Vec<(String, Value)>),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Signed(a), Self::Signed(b)) => a == b,
            (Self::Unsigned(a), Self::Unsigned(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a.to_bits() == b.to_bits(),
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Object(a), Self::Object(b)) => a == b,
            (
                Self::Null
                | Self::Bool(_)
                | Self::Signed(_)
                | Self::Unsigned(_)
                | Self::Number(_)
                | Self::String(_)
                | Self::Bytes(_)
                | Self::List(_)
                | Self::Object(_),
                _,
            ) => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// The kind of the value, for error messages: `string`, `list`, ….
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Signed(_) | Self::Unsigned(_) => "integer",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Object(_) => "object",
        }
    }
}

impl From<i64> for Value {
    fn from(integer: i64) -> Self {
        Self::Signed(integer)
    }
}

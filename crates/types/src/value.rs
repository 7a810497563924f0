//! A value on its way into or out of a function, before it has the function's
//! own type. Integers keep their 64 bits: nothing passes through a float.

/// JSON's values, with integers told apart from floats, and bytes.
///
/// Two values are equal when a caller would have had to send the same thing
/// for both: numbers compare by their bits, so NaN equals itself.
#[derive(Debug, Clone)]
pub enum Value {
    /// Nothing: an absent option, or the result of a function that returns nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number that came as a signed 64-bit (or smaller) integer.
    Signed(i64),
    /// A whole number that came as an unsigned 64-bit (or smaller) integer.
    Unsigned(u64),
    /// A floating-point number, NaN and the infinities included.
    Number(f64),
    /// Text.
    String(String),
    /// Raw bytes. Only a caller sends them; results use base64 text.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Named values, in the order they came; a later duplicate is an error
    /// where a record is expected.
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
    /// What kind of value this is, for error messages: `string`, `list`, ….
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

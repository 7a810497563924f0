//! The parameters and results of a function, in the terms of WIT.

use std::fmt;

/// How a function is run. The engine finds it out from the artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    /// A numeric export of a core module.
    Core,
    /// A typed export of a component.
    Component,
    /// A command (`_start` or `wasi:cli/run`). It gets its parameters as one JSON object on
    /// standard input; its standard output is the result.
    Command,
    /// An http handler (`wasi:http/incoming-handler`): a request in, a response out.
    Handler,
}

/// The functions and imports of an artifact, as its callers see them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    /// The functions that can be called.
    pub functions: Vec<FunctionSignature>,
    /// What it imports from the host.
    pub imports: Vec<Import>,
    /// The documentation that the artifact has of its functions, as full name and text.
    pub docs: Vec<(String, String)>,
}

/// One function that a task exports.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionSignature {
    /// The full name: `name` or `ns:pkg/interface@version#name`.
    pub name: String,
    /// How it is run.
    pub kind: FunctionKind,
    /// The parameters in order. A command lists none, since it reads any JSON object.
    pub parameters: Vec<Field>,
    /// The results. Only a core function may have several.
    pub results: Vec<ValueType>,
}

/// Something that an artifact needs from the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// `module::name` of a core import, or the full name of a component's interface.
    pub name: String,
    /// Whether the task's grants allow it. A task whose artifact has another import is
    /// refused.
    pub granted: bool,
}

/// A name and a type: a parameter, or a field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name; `p0`, `p1`, … for a core module's parameters, which have none.
    pub name: String,
    /// The type of its values.
    pub ty: ValueType,
}

/// A case of a variant.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The name.
    pub name: String,
    /// The type of its payload; `None` for a case without one.
    pub payload: Option<ValueType>,
}

/// The types of WIT, and the four numeric types of core wasm (which are
/// written as WIT's `s32`, `s64`, `f32` and `f64`).
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names are WIT's own")]
pub enum ValueType {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<ValueType>),
    Option(Box<ValueType>),
    Result {
        ok: Option<Box<ValueType>>,
        err: Option<Box<ValueType>>,
    },
    Record(Vec<Field>),
    Tuple(Vec<ValueType>),
    Enum(Vec<String>),
    Variant(Vec<Case>),
    Flags(Vec<String>),
    /// A type whose values cannot be sent from outside, such as a resource handle. The text
    /// names it.
    Unsupported(&'static str),
}

/// Shows items with commas between them.
struct Joined<'a, T>(&'a [T]);

impl FunctionKind {
    /// The kind, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core module",
            Self::Component => "component",
            Self::Command => "command",
            Self::Handler => "http handler",
        }
    }
}

impl ValueType {
    /// Whether `null` is a value of the type. An option of such a type needs a wrapper, so
    /// that `null` has one meaning.
    pub fn admits_null(&self) -> bool {
        matches!(self, Self::Option(_))
    }
}

impl fmt::Display for FunctionSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == FunctionKind::Command {
            return write!(f, "{}: command (JSON object on stdin, result on stdout)", self.name);
        }
        if self.kind == FunctionKind::Handler {
            return write!(f, "{}: http handler({})", self.name, Joined(&self.parameters));
        }
        write!(f, "{}: func({})", self.name, Joined(&self.parameters))?;
        match self.results.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " -> {one}"),
            many => write!(f, " -> ({})", Joined(many)),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::S8 => f.write_str("s8"),
            Self::U8 => f.write_str("u8"),
            Self::S16 => f.write_str("s16"),
            Self::U16 => f.write_str("u16"),
            Self::S32 => f.write_str("s32"),
            Self::U32 => f.write_str("u32"),
            Self::S64 => f.write_str("s64"),
            Self::U64 => f.write_str("u64"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::Option(some) => write!(f, "option<{some}>"),
            Self::Result { ok: None, err: None } => f.write_str("result"),
            Self::Result { ok: Some(ok), err: None } => write!(f, "result<{ok}>"),
            Self::Result { ok: None, err: Some(err) } => write!(f, "result<_, {err}>"),
            Self::Result { ok: Some(ok), err: Some(err) } => write!(f, "result<{ok}, {err}>"),
            Self::Record(fields) => write!(f, "record {{ {} }}", Joined(fields)),
            Self::Tuple(items) => write!(f, "tuple<{}>", Joined(items)),
            Self::Enum(names) => write!(f, "enum {{ {} }}", Joined(names)),
            Self::Variant(cases) => write!(f, "variant {{ {} }}", Joined(cases)),
            Self::Flags(names) => write!(f, "flags {{ {} }}", Joined(names)),
            Self::Unsupported(what) => write!(f, "<{what}: cannot be passed from outside>"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.payload {
            Some(payload) => write!(f, "{}({payload})", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.ty)
    }
}

impl<T: fmt::Display> fmt::Display for Joined<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            item.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_wit() {
        let signature = FunctionSignature {
            name: "check".into(),
            kind: FunctionKind::Component,
            parameters: vec![Field { name: "items".into(), ty: ValueType::List(Box::new(ValueType::U8)) }],
            results: vec![ValueType::Result {
                ok: None,
                err: Some(Box::new(ValueType::Variant(vec![
                    Case { name: "late".into(), payload: Some(ValueType::U64) },
                    Case { name: "lost".into(), payload: None },
                ]))),
            }],
        };
        assert_eq!(
            signature.to_string(),
            "check: func(items: list<u8>) -> result<_, variant { late(u64), lost }>"
        );
    }
}

//! Plain values into the types a function takes. Every error names the path to
//! what does not fit.

use crate::wit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_call::BindError;
use pilum_types::Value;
use std::collections::HashSet;
use wasmtime::component::{Type, Val};
use wasmtime::{Val as CoreVal, ValType};

/// Values that the parameters of one call may be made of. A value takes some 40
/// bytes of host memory whatever it took on the wire, so this bounds a call's
/// parameters to about 40 MiB.
const PARAMETER_VALUES_MAX: usize = 1_000_000;
/// Names that fitting one call's parameters may look through: about 0.1 s of a
/// worker's time, which no deadline covers yet.
const NAMES_SEARCHED_MAX: usize = 50_000_000;
/// Integers up to here are exact in a float, and so in a JSON number.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// Converts the parameters of one call.
pub(crate) struct Lowering {
    path: String,
    values_left: usize,
    searches_left: usize,
}

impl Lowering {
    /// Begins with a parameter's name.
    pub(crate) fn new() -> Self {
        Self { path: String::new(), values_left: PARAMETER_VALUES_MAX, searches_left: NAMES_SEARCHED_MAX }
    }

    /// Fits `value` to a component's type.
    pub(crate) fn parameter(&mut self, name: &str, value: Value, ty: &Type) -> Result<Val, BindError> {
        self.path.clear();
        self.path.push_str(name);
        self.value(value, ty)
    }

    /// Fits `value` to a core type.
    pub(crate) fn core_parameter(
        &mut self,
        name: &str,
        value: &Value,
        ty: &ValType,
    ) -> Result<CoreVal, BindError> {
        // A core integer has no sign: both readings of its bits are welcome.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range was checked; the bits are what is meant"
        )]
        let fitted = match ty {
            ValType::I32 => self
                .integer(value, i128::from(i32::MIN), i128::from(u32::MAX), "s32")
                .map(|bits| CoreVal::I32(bits as i32)),
            ValType::I64 => self
                .integer(value, i128::from(i64::MIN), i128::from(u64::MAX), "s64")
                .map(|bits| CoreVal::I64(bits as i64)),
            ValType::F32 => self.float(value, "f32").map(|float| CoreVal::F32((float as f32).to_bits())),
            ValType::F64 => self.float(value, "f64").map(|float| CoreVal::F64(float.to_bits())),
            ValType::V128 | ValType::Ref(_) => Err(self.wrong(&wit::core_type(ty).to_string(), value)),
        };
        // There is no way further inside: the path is the name, written where it is needed.
        fitted.map_err(|error| match error {
            BindError::Parameter { reason, .. } => BindError::Parameter { path: name.to_owned(), reason },
            other => other,
        })
    }

    fn value(&mut self, value: Value, ty: &Type) -> Result<Val, BindError> {
        self.spend(1)?;
        match ty {
            Type::Bool => match value {
                Value::Bool(b) => Ok(Val::Bool(b)),
                other => Err(self.wrong("bool", &other)),
            },
            Type::S8 => self.small(&value, "s8", Val::S8),
            Type::U8 => self.small(&value, "u8", Val::U8),
            Type::S16 => self.small(&value, "s16", Val::S16),
            Type::U16 => self.small(&value, "u16", Val::U16),
            Type::S32 => self.small(&value, "s32", Val::S32),
            Type::U32 => self.small(&value, "u32", Val::U32),
            Type::S64 => self.small(&value, "s64", Val::S64),
            Type::U64 => self.small(&value, "u64", Val::U64),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "an f32 parameter rounds, as in WIT and JSON"
            )]
            Type::Float32 => self.float(&value, "f32").map(|float| Val::Float32(float as f32)),
            Type::Float64 => self.float(&value, "f64").map(Val::Float64),
            Type::Char => self.char(&value),
            Type::String => match value {
                Value::String(text) => Ok(Val::String(text)),
                other => Err(self.wrong("string", &other)),
            },
            Type::List(_) => self.list(value, ty),
            Type::Option(option) => match value {
                Value::Null => Ok(Val::Option(None)),
                some => self.some(some, &option.ty()),
            },
            Type::Record(_) => self.record(value, ty),
            Type::Tuple(_) => self.tuple(value, ty),
            Type::Enum(names) => {
                self.search(names.names().len())?;
                match value {
                    Value::String(name) if names.names().any(|known| known == name) => Ok(Val::Enum(name)),
                    other => Err(self.wrong(&wit::value_type(ty).to_string(), &other)),
                }
            }
            Type::Flags(_) => self.flags(value, ty),
            Type::Variant(_) => self.variant(value, ty),
            Type::Result(result) => self.result(value, result.ok().as_ref(), result.err().as_ref(), ty),
            Type::Own(_)
            | Type::Borrow(_)
            | Type::Future(_)
            | Type::Stream(_)
            | Type::ErrorContext
            | Type::Map(_)
            | Type::FixedLengthList(_) => Err(self.wrong(&wit::value_type(ty).to_string(), &value)),
        }
    }

    /// Accounts for values about to be made.
    fn spend(&mut self, values: usize) -> Result<(), BindError> {
        match self.values_left.checked_sub(values) {
            Some(left) => {
                self.values_left = left;
                Ok(())
            }
            None => Err(self.error(format!("the parameters have more than {PARAMETER_VALUES_MAX} values"))),
        }
    }

    /// Accounts for looking through so many names.
    fn search(&mut self, names: usize) -> Result<(), BindError> {
        match self.searches_left.checked_sub(names) {
            Some(left) => {
                self.searches_left = left;
                Ok(())
            }
            None => Err(self.error("the parameters take too long to fit to their types".to_owned())),
        }
    }

    fn small<T: TryFrom<i128>>(
        &self,
        value: &Value,
        name: &str,
        make: impl Fn(T) -> Val,
    ) -> Result<Val, BindError> {
        let integer = self.integer(value, i128::MIN, i128::MAX, name)?;
        T::try_from(integer)
            .map(make)
            .map_err(|_| self.error(format!("expected {name}, got {integer}, which is out of its range")))
    }

    /// A whole number, also as an integral float or, as in proto3 JSON, a decimal string.
    fn integer(&self, value: &Value, min: i128, max: i128, name: &str) -> Result<i128, BindError> {
        let integer = match value {
            Value::Signed(integer) => i128::from(*integer),
            Value::Unsigned(integer) => i128::from(*integer),
            #[expect(clippy::cast_possible_truncation, reason = "integral and within ±2^53, so exact")]
            Value::Number(float) if float.fract() == 0.0 && float.abs() <= EXACT_INTEGER_MAX => {
                *float as i128
            }
            Value::Number(float) => {
                let hint = if float.fract() == 0.0 && float.is_finite() {
                    " (a JSON number is not exact beyond 2^53: send a decimal string)"
                } else {
                    ""
                };
                return Err(self.error(format!("expected {name}, got the number {float}{hint}")));
            }
            Value::String(text) if name.ends_with("64") => text.parse().map_err(|_| {
                self.error(format!(
                    "expected {name}, got the string {:?}, which is no whole number",
                    cut(text)
                ))
            })?,
            Value::Null
            | Value::Bool(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::List(_)
            | Value::Object(_) => return Err(self.wrong(name, value)),
        };
        if (min..=max).contains(&integer) {
            Ok(integer)
        } else {
            Err(self.error(format!("expected {name}, got {integer}, which is out of its range")))
        }
    }

    fn float(&self, value: &Value, name: &str) -> Result<f64, BindError> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a whole number given for a float is rounded, as in JSON"
        )]
        match value {
            Value::Number(float) => Ok(*float),
            Value::Signed(integer) => Ok(*integer as f64),
            Value::Unsigned(integer) => Ok(*integer as f64),
            Value::String(text) => match text.as_str() {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                other => match large_whole_number(other) {
                    Some(integer) => Ok(integer as f64),
                    None => Err(self.wrong(name, value)),
                },
            },
            Value::Null | Value::Bool(_) | Value::Bytes(_) | Value::List(_) | Value::Object(_) => {
                Err(self.wrong(name, value))
            }
        }
    }

    fn char(&self, value: &Value) -> Result<Val, BindError> {
        if let Value::String(text) = value {
            let mut chars = text.chars();
            if let (Some(only), None) = (chars.next(), chars.next()) {
                return Ok(Val::Char(only));
            }
        }
        Err(self.wrong("char (a string of one character)", value))
    }

    fn list(&mut self, value: Value, ty: &Type) -> Result<Val, BindError> {
        let item = ty.unwrap_list().ty();
        let bytes = matches!(item, Type::U8);
        match value {
            Value::List(values) => {
                self.items(values.into_iter().map(|value| (value, item.clone()))).map(Val::List)
            }
            Value::Bytes(bytes_given) if bytes => self.bytes(&bytes_given),
            Value::String(text) if bytes => match STANDARD.decode(&text) {
                Ok(decoded) => self.bytes(&decoded),
                Err(error) => {
                    Err(self.error(format!("expected list<u8> as base64, got a string that is not: {error}")))
                }
            },
            other => Err(self.wrong(&wit::value_type(ty).to_string(), &other)),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<Val, BindError> {
        self.spend(bytes.len())?;
        Ok(Val::List(bytes.iter().copied().map(Val::U8).collect()))
    }

    fn items(&mut self, items: impl Iterator<Item = (Value, Type)>) -> Result<Vec<Val>, BindError> {
        let mut lowered = Vec::with_capacity(items.size_hint().0.min(self.values_left));
        for (i, (value, ty)) in items.enumerate() {
            lowered.push(self.inside(&format!("[{i}]"), |lowering| lowering.value(value, &ty))?);
        }
        Ok(lowered)
    }

    /// A present option. Where the inner type has a null of its own, `some` is
    /// written out: `{"some": null}` is a present option of an absent one.
    fn some(&mut self, value: Value, ty: &Type) -> Result<Val, BindError> {
        let value = match value {
            Value::Object(mut fields) if matches!(ty, Type::Option(_)) => match fields.pop() {
                Some((name, inner)) if name == "some" && fields.is_empty() => inner,
                _ => {
                    let reason = "expected null or {\"some\": …}, got another object";
                    return Err(self.error(reason.to_owned()));
                }
            },
            other => other,
        };
        Ok(Val::Option(Some(Box::new(self.value(value, ty)?))))
    }

    fn record(&mut self, value: Value, ty: &Type) -> Result<Val, BindError> {
        let Value::Object(mut given) = value else {
            return Err(self.wrong(&wit::value_type(ty).to_string(), &value));
        };
        let known = ty.unwrap_record().fields();
        // More cannot all be right, and are not searched for.
        if given.len() > known.len() {
            let mut names: HashSet<&str> = known.map(|field| field.name).collect();
            let wrong = given.iter().find(|(name, _)| !names.remove(name.as_str()));
            return Err(self.unknown_field(wrong.map_or("", |(name, _)| name), ty));
        }
        self.search(known.len() * given.len())?;
        let mut fields = Vec::with_capacity(known.len());
        for field in known {
            let value = match given.iter().position(|(name, _)| name == field.name) {
                Some(i) => given.swap_remove(i).1,
                None if matches!(field.ty, Type::Option(_)) => Value::Null,
                None => {
                    let expected = wit::value_type(&field.ty);
                    return Err(self.error(format!("the field {} ({expected}) is missing", field.name)));
                }
            };
            let lowered =
                self.inside(&format!(".{}", field.name), |lowering| lowering.value(value, &field.ty))?;
            fields.push((field.name.to_owned(), lowered));
        }
        match given.first() {
            None => Ok(Val::Record(fields)),
            Some((name, _)) => Err(self.unknown_field(name, ty)),
        }
    }

    fn unknown_field(&self, name: &str, ty: &Type) -> BindError {
        let known = wit::value_type(ty);
        self.error(format!("the field {:?} is doubled or unknown; expected {known}", cut(name)))
    }

    fn tuple(&mut self, value: Value, ty: &Type) -> Result<Val, BindError> {
        let types = ty.unwrap_tuple().types();
        match value {
            Value::List(values) if values.len() == types.len() => {
                self.items(values.into_iter().zip(types)).map(Val::Tuple)
            }
            Value::List(values) => {
                Err(self.error(format!("expected {} values, got {}", types.len(), values.len())))
            }
            other => Err(self.wrong(&wit::value_type(ty).to_string(), &other)),
        }
    }

    fn flags(&mut self, value: Value, ty: &Type) -> Result<Val, BindError> {
        let Value::List(values) = value else {
            return Err(self.wrong(&wit::value_type(ty).to_string(), &value));
        };
        let mut set = Vec::with_capacity(values.len());
        for value in values {
            self.spend(1)?;
            self.search(ty.unwrap_flags().names().len())?;
            match value {
                Value::String(name) if ty.unwrap_flags().names().any(|known| known == name) => set.push(name),
                other => return Err(self.wrong(&wit::value_type(ty).to_string(), &other)),
            }
        }
        Ok(Val::Flags(set))
    }

    /// `"case"` for a case without payload, `{"case": payload}` for one with.
    fn variant(&mut self, value: Value, ty: &Type) -> Result<Val, BindError> {
        let (name, payload) = self.case(value, ty)?;
        self.search(ty.unwrap_variant().cases().len())?;
        let Some(case) = ty.unwrap_variant().cases().find(|case| case.name == name) else {
            let known = wit::value_type(ty);
            return Err(self.error(format!("expected {known}, got the case {:?}", cut(&name))));
        };
        let payload = self.payload(payload, case.ty.as_ref(), &name)?;
        Ok(Val::Variant(name, payload))
    }

    /// `{"ok": value}` or `{"err": value}`.
    fn result(
        &mut self,
        value: Value,
        ok: Option<&Type>,
        err: Option<&Type>,
        ty: &Type,
    ) -> Result<Val, BindError> {
        let (name, payload) = self.case(value, ty)?;
        match name.as_str() {
            "ok" => Ok(Val::Result(Ok(self.payload(payload, ok, "ok")?))),
            "err" => Ok(Val::Result(Err(self.payload(payload, err, "err")?))),
            _ => Err(self.error(format!("expected {{\"ok\": …}} or {{\"err\": …}}, got {:?}", cut(&name)))),
        }
    }

    /// The case's name and what it carries: `"case"` or `{"case": payload}`.
    fn case(&self, value: Value, ty: &Type) -> Result<(String, Option<Value>), BindError> {
        match value {
            Value::String(name) => Ok((name, None)),
            Value::Object(mut fields) if fields.len() == 1 => match fields.pop() {
                Some((name, payload)) => Ok((name, Some(payload))),
                None => Err(self.wrong(&wit::value_type(ty).to_string(), &Value::Null)),
            },
            other => Err(self.wrong(&wit::value_type(ty).to_string(), &other)),
        }
    }

    fn payload(
        &mut self,
        payload: Option<Value>,
        ty: Option<&Type>,
        case: &str,
    ) -> Result<Option<Box<Val>>, BindError> {
        match (payload, ty) {
            (None | Some(Value::Null), None) => Ok(None),
            (Some(value), Some(ty)) => {
                let lowered = self.inside(&format!(".{case}"), |lowering| lowering.value(value, ty))?;
                Ok(Some(Box::new(lowered)))
            }
            (None, Some(Type::Option(_))) => Ok(Some(Box::new(Val::Option(None)))),
            (None, Some(ty)) => {
                let expected = wit::value_type(ty);
                Err(self.error(format!("the case {case} carries {expected}: write {{\"{case}\": …}}")))
            }
            (Some(_), None) => Err(self.error(format!("the case {case} carries nothing: write \"{case}\""))),
        }
    }

    fn inside<T>(
        &mut self,
        step: &str,
        lower: impl FnOnce(&mut Self) -> Result<T, BindError>,
    ) -> Result<T, BindError> {
        let length = self.path.len();
        self.path.push_str(step);
        let lowered = lower(self)?;
        self.path.truncate(length);
        Ok(lowered)
    }

    fn wrong(&self, expected: &str, value: &Value) -> BindError {
        let got = match value {
            Value::String(text) => format!("the string {:?}", cut(text)),
            Value::Bool(b) => format!("the bool {b}"),
            Value::Signed(n) => format!("the integer {n}"),
            Value::Unsigned(n) => format!("the integer {n}"),
            Value::Number(n) => format!("the number {n}"),
            Value::Null | Value::Bytes(_) | Value::List(_) | Value::Object(_) => value.kind().to_owned(),
        };
        self.error(format!("expected {expected}, got {got}"))
    }

    fn error(&self, reason: String) -> BindError {
        BindError::Parameter { path: self.path.clone(), reason }
    }
}

/// A whole number that no float holds exactly. It travels as text wherever it
/// stands inside another value, also on its way to a float, where it is rounded.
fn large_whole_number(text: &str) -> Option<i128> {
    let integer: i128 = text.parse().ok()?;
    let travels = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer);
    (travels && integer.unsigned_abs() > 1 << 53).then_some(integer)
}

/// The beginning of a text that may be long, for an error message.
fn cut(text: &str) -> &str {
    const SHOWN_MAX_BYTES: usize = 64;
    text.get(..text.floor_char_boundary(SHOWN_MAX_BYTES)).unwrap_or(text)
}

//! Fits plain values to the types that a function takes. Every error names the path to
//! the value that does not fit.
//!
//! The rules are written once, generic over [`Input`]: owned values become wasmtime's
//! values, and borrowed values are only checked.

use crate::values::input::{Input, Lowered};
use crate::values::wit;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_call::BindError;
use pilum_types::Value;
use std::collections::HashSet;
use wasmtime::component::{Type, Val};
use wasmtime::{Val as CoreVal, ValType};

/// Values that the parameters of one call may consist of. A value takes some 40 bytes
/// of host memory, even if it took one byte on the wire, so this bounds the parameters
/// of a call to about 40 MiB.
const PARAMETER_VALUES_MAX: usize = 1_000_000;
/// Names that may be searched while the parameters of one call are fitted. This bounds
/// fitting, which no deadline covers, to about 0.1 s of a worker's time.
const NAMES_SEARCHED_MAX: usize = 50_000_000;
/// Integers up to 2^53 are exact in a float, and so in a JSON number.
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// Bytes of a text that an error message shows.
const SHOWN_MAX_BYTES: usize = 64;

/// Fits the parameters of one call, and counts what that takes.
pub(crate) struct Lowering {
    /// The way from the parameter to the value that is being fitted: `items[3].price`.
    path: String,
    values_left: usize,
    searches_left: usize,
}

impl Lowering {
    /// Begins a call.
    pub(crate) fn new() -> Self {
        Self { path: String::new(), values_left: PARAMETER_VALUES_MAX, searches_left: NAMES_SEARCHED_MAX }
    }

    /// Fits the value of the parameter `name` to a component's type.
    pub(crate) fn parameter<V: Input>(
        &mut self,
        name: &str,
        value: V,
        ty: &Type,
    ) -> Result<V::Lowered, BindError> {
        self.path.clear();
        self.path.push_str(name);
        self.value(value, ty)
    }

    /// Fits the value of the parameter `name` to a core type.
    pub(crate) fn core_parameter(
        &mut self,
        name: &str,
        value: &Value,
        ty: &ValType,
    ) -> Result<CoreVal, BindError> {
        // A core integer has no sign, so signed and unsigned numbers both fit.
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
        // A core value has no values inside, so the path is the parameter's name. It is
        // written only if there is an error.
        fitted.map_err(|error| match error {
            BindError::Parameter { reason, .. } => BindError::Parameter { path: name.to_owned(), reason },
            other => other,
        })
    }

    fn value<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        self.spend(1)?;
        let plain = V::Lowered::plain;
        match ty {
            Type::Bool => match value.borrow() {
                Value::Bool(b) => Ok(plain(Val::Bool(*b))),
                other => Err(self.wrong("bool", other)),
            },
            Type::S8 => self.small(value.borrow(), "s8", Val::S8).map(plain),
            Type::U8 => self.small(value.borrow(), "u8", Val::U8).map(plain),
            Type::S16 => self.small(value.borrow(), "s16", Val::S16).map(plain),
            Type::U16 => self.small(value.borrow(), "u16", Val::U16).map(plain),
            Type::S32 => self.small(value.borrow(), "s32", Val::S32).map(plain),
            Type::U32 => self.small(value.borrow(), "u32", Val::U32).map(plain),
            Type::S64 => self.small(value.borrow(), "s64", Val::S64).map(plain),
            Type::U64 => self.small(value.borrow(), "u64", Val::U64).map(plain),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "an f32 parameter rounds, as in WIT and JSON"
            )]
            Type::Float32 => self.float(value.borrow(), "f32").map(|float| plain(Val::Float32(float as f32))),
            Type::Float64 => self.float(value.borrow(), "f64").map(|float| plain(Val::Float64(float))),
            Type::Char => self.char(value.borrow()).map(plain),
            Type::String => match value.into_text() {
                Ok(text) => Ok(V::Lowered::string(text)),
                Err(other) => Err(self.wrong("string", other.borrow())),
            },
            Type::List(_) => self.list(value, ty),
            Type::Option(option) => match value.borrow() {
                Value::Null => Ok(plain(Val::Option(None))),
                _ => self.some(value, &option.ty()),
            },
            Type::Record(_) => self.record(value, ty),
            Type::Tuple(_) => self.tuple(value, ty),
            Type::Enum(_) => self.enum_case(value, ty),
            Type::Flags(_) => self.flags(value, ty),
            Type::Variant(_) => self.variant(value, ty),
            Type::Result(_) => self.result(value, ty),
            Type::Own(_)
            | Type::Borrow(_)
            | Type::Future(_)
            | Type::Stream(_)
            | Type::ErrorContext
            | Type::Map(_)
            | Type::FixedLengthList(_) => Err(self.misfit(value.borrow(), ty)),
        }
    }

    /// Counts values that are about to be made.
    fn spend(&mut self, values: usize) -> Result<(), BindError> {
        match self.values_left.checked_sub(values) {
            Some(left) => {
                self.values_left = left;
                Ok(())
            }
            None => Err(self.error(format!("the parameters have more than {PARAMETER_VALUES_MAX} values"))),
        }
    }

    /// Counts names that are about to be searched.
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

    /// A whole number. It may also come as an integral float or, as in proto3 JSON, as a
    /// decimal string.
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

    fn list<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        let item = ty.unwrap_list().ty();
        let value = match value.into_items() {
            Ok(values) => {
                let items = values.map(|value| (value, item.clone()));
                return self.items(items).map(V::Lowered::list);
            }
            Err(other) => other,
        };
        let is_bytes = matches!(item, Type::U8);
        match value.borrow() {
            Value::Bytes(bytes) if is_bytes => self.bytes::<V>(bytes),
            Value::String(text) if is_bytes => match STANDARD.decode(text) {
                Ok(decoded) => self.bytes::<V>(&decoded),
                Err(error) => {
                    Err(self.error(format!("expected list<u8> as base64, got a string that is not: {error}")))
                }
            },
            other => Err(self.misfit(other, ty)),
        }
    }

    fn bytes<V: Input>(&mut self, bytes: &[u8]) -> Result<V::Lowered, BindError> {
        self.spend(bytes.len())?;
        Ok(V::Lowered::list(bytes.iter().map(|byte| V::Lowered::plain(Val::U8(*byte))).collect()))
    }

    fn items<V: Input>(
        &mut self,
        items: impl Iterator<Item = (V, Type)>,
    ) -> Result<Vec<V::Lowered>, BindError> {
        let mut lowered = Vec::with_capacity(items.size_hint().0.min(self.values_left));
        for (i, (value, ty)) in items.enumerate() {
            lowered.push(self.inside(&format!("[{i}]"), |lowering| lowering.value(value, &ty))?);
        }
        Ok(lowered)
    }

    /// A present option. If the inner type is an option too, `some` is written out:
    /// `{"some": null}` is a present option of an absent one.
    fn some<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        let value = if matches!(ty, Type::Option(_)) {
            match value.into_fields() {
                Ok(mut fields) => match fields.pop() {
                    Some((name, inner)) if name.as_ref() == "some" && fields.is_empty() => inner,
                    _ => {
                        let reason = "expected null or {\"some\": …}, got another object";
                        return Err(self.error(reason.to_owned()));
                    }
                },
                Err(other) => other,
            }
        } else {
            value
        };
        Ok(V::Lowered::some(self.value(value, ty)?))
    }

    fn record<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        let mut given = value.into_fields().map_err(|other| self.misfit(other.borrow(), ty))?;
        let known = ty.unwrap_record().fields();
        // With more fields than the record has, one of them is wrong. The others are not
        // lowered.
        if given.len() > known.len() {
            let mut names: HashSet<&str> = known.map(|field| field.name).collect();
            let Some((wrong, _)) = given.iter().find(|(name, _)| !names.remove(name.as_ref())) else {
                unreachable!("more names than the record has cannot all be different names of it");
            };
            return Err(self.unknown_field(wrong.as_ref(), ty));
        }
        self.search(known.len() * given.len())?;
        let mut fields = Vec::with_capacity(known.len());
        for field in known {
            let value = match given.iter().position(|(name, _)| name.as_ref() == field.name) {
                Some(i) => given.swap_remove(i).1,
                None if matches!(field.ty, Type::Option(_)) => V::null(),
                None => {
                    let expected = wit::value_type(&field.ty);
                    return Err(self.error(format!("the field {} ({expected}) is missing", field.name)));
                }
            };
            let lowered =
                self.inside(&format!(".{}", field.name), |lowering| lowering.value(value, &field.ty))?;
            fields.push((field.name.into(), lowered));
        }
        match given.first() {
            None => Ok(V::Lowered::record(fields)),
            Some((name, _)) => Err(self.unknown_field(name.as_ref(), ty)),
        }
    }

    fn unknown_field(&self, name: &str, ty: &Type) -> BindError {
        let known = wit::value_type(ty);
        self.error(format!("the field {:?} is doubled or unknown; expected {known}", cut(name)))
    }

    fn tuple<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        let types = ty.unwrap_tuple().types();
        let values = value.into_items().map_err(|other| self.misfit(other.borrow(), ty))?;
        if values.len() != types.len() {
            return Err(self.error(format!("expected {} values, got {}", types.len(), values.len())));
        }
        self.items(values.zip(types)).map(V::Lowered::tuple)
    }

    fn enum_case<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        let names = ty.unwrap_enum();
        self.search(names.names().len())?;
        match value.into_text() {
            Ok(name) if names.names().any(|known| known == name.as_ref()) => Ok(V::Lowered::enum_case(name)),
            Ok(name) => Err(self.error(format!(
                "expected {}, got {}",
                wit::value_type(ty),
                shown_text(name.as_ref())
            ))),
            Err(other) => Err(self.misfit(other.borrow(), ty)),
        }
    }

    fn flags<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        let values = value.into_items().map_err(|other| self.misfit(other.borrow(), ty))?;
        let mut set = Vec::with_capacity(values.len());
        for value in values {
            self.spend(1)?;
            let known = ty.unwrap_flags();
            self.search(known.names().len())?;
            match value.into_text() {
                Ok(name) if known.names().any(|known| known == name.as_ref()) => set.push(name),
                Ok(name) => {
                    return Err(self.error(format!(
                        "expected {}, got {}",
                        wit::value_type(ty),
                        shown_text(name.as_ref())
                    )));
                }
                Err(other) => return Err(self.misfit(other.borrow(), ty)),
            }
        }
        Ok(V::Lowered::flags(set))
    }

    /// `"case"` for a case without payload, `{"case": payload}` for one with a payload.
    fn variant<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        let (name, payload) = self.case(value, ty)?;
        let variant = ty.unwrap_variant();
        self.search(variant.cases().len())?;
        let Some(case) = variant.cases().find(|case| case.name == name.as_ref()) else {
            let known = wit::value_type(ty);
            return Err(self.error(format!("expected {known}, got the case {:?}", cut(name.as_ref()))));
        };
        let payload = self.payload(payload, case.ty.as_ref(), case.name)?;
        Ok(V::Lowered::variant(name, payload))
    }

    /// `{"ok": value}` or `{"err": value}`.
    fn result<V: Input>(&mut self, value: V, ty: &Type) -> Result<V::Lowered, BindError> {
        let result = ty.unwrap_result();
        let (name, payload) = self.case(value, ty)?;
        match name.as_ref() {
            "ok" => Ok(V::Lowered::result(Ok(self.payload(payload, result.ok().as_ref(), "ok")?))),
            "err" => Ok(V::Lowered::result(Err(self.payload(payload, result.err().as_ref(), "err")?))),
            other => {
                Err(self.error(format!("expected {{\"ok\": …}} or {{\"err\": …}}, got {:?}", cut(other))))
            }
        }
    }

    /// The case's name and its payload: `"case"` or `{"case": payload}`.
    fn case<V: Input>(&self, value: V, ty: &Type) -> Result<(V::Text, Option<V>), BindError> {
        if matches!(value.borrow(), Value::Object(fields) if fields.len() != 1) {
            return Err(self.misfit(value.borrow(), ty));
        }
        let value = match value.into_text() {
            Ok(name) => return Ok((name, None)),
            Err(other) => other,
        };
        let fields = value.into_fields().map_err(|other| self.misfit(other.borrow(), ty))?;
        let Ok([(name, payload)]) = <[(V::Text, V); 1]>::try_from(fields) else {
            unreachable!("an object of other than one field was refused above");
        };
        Ok((name, Some(payload)))
    }

    fn payload<V: Input>(
        &mut self,
        payload: Option<V>,
        ty: Option<&Type>,
        case: &str,
    ) -> Result<Option<V::Lowered>, BindError> {
        let is_null = payload.as_ref().is_some_and(|value| matches!(value.borrow(), Value::Null));
        match (payload, ty) {
            (None, None) => Ok(None),
            (Some(_), None) if is_null => Ok(None),
            (Some(value), Some(ty)) => {
                self.inside(&format!(".{case}"), |lowering| lowering.value(value, ty)).map(Some)
            }
            (None, Some(Type::Option(_))) => Ok(Some(V::Lowered::plain(Val::Option(None)))),
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

    /// The error of a value that does not fit a component's type.
    fn misfit(&self, value: &Value, ty: &Type) -> BindError {
        self.wrong(&wit::value_type(ty).to_string(), value)
    }

    fn wrong(&self, expected: &str, value: &Value) -> BindError {
        let got = match value {
            Value::String(text) => shown_text(text),
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

fn shown_text(text: &str) -> String {
    format!("the string {:?}", cut(text))
}

/// A whole number that no float holds exactly. Callers send such a number as text when
/// it is inside another value. Where a float is expected, it is rounded.
fn large_whole_number(text: &str) -> Option<i128> {
    let integer: i128 = text.parse().ok()?;
    let is_64_bit = (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&integer);
    (is_64_bit && integer.unsigned_abs() > 1 << 53).then_some(integer)
}

/// The beginning of a text that may be long, for an error message.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(SHOWN_MAX_BYTES)).unwrap_or(text)
}

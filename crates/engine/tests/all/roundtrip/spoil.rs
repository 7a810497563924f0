//! Values that do not fit in one place, and the path to that place.

#![expect(clippy::indexing_slicing, reason = "values have the shape of their types")]

use pilum_types::{Value, ValueType};

/// A value that does not fit its type.
#[derive(Debug)]
pub(super) struct Spoilt {
    pub(super) value: Value,
    /// The path to the place that does not fit.
    pub(super) path: String,
    pub(super) fault: Fault,
}

/// How it does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The value is of another type, or out of the type's range.
    Unfit,
    /// A required field is missing.
    MissingField,
    /// There is a field that the record does not have.
    UnknownField,
    /// A case has no payload although it needs one, or has one although it takes none.
    Payload,
}

impl Fault {
    /// Whether `reason` names this fault.
    pub(super) fn is_named_in(self, reason: &str) -> bool {
        match self {
            Self::Unfit => reason.starts_with("expected ") && reason.contains(", got "),
            Self::MissingField => reason.starts_with("the field ") && reason.ends_with(" is missing"),
            Self::UnknownField => {
                reason.starts_with("the field \"no-such\" is doubled or unknown; expected record {")
            }
            Self::Payload => reason.starts_with("the case ") && reason.contains(": write "),
        }
    }
}

/// Spoils `value`, which has the type `ty`, somewhere; `choices` say where and how.
pub(super) fn in_some_way(parameter: &str, ty: &ValueType, value: Value, choices: &[u16]) -> Spoilt {
    let mut spoiler = Spoiler { choices: choices.iter(), path: parameter.to_owned() };
    let (value, fault) = spoiler.spoil(ty, value);
    Spoilt { value, path: spoiler.path, fault }
}

struct Spoiler<'a> {
    choices: std::slice::Iter<'a, u16>,
    path: String,
}

const NO_SUCH: &str = "no-such";

impl Spoiler<'_> {
    fn choose(&mut self, among: usize) -> usize {
        usize::from(self.choices.next().copied().unwrap_or_default()) % among
    }

    /// True in most cases, so that faults are deep inside.
    fn goes_inside(&mut self) -> bool {
        self.choose(4) > 0
    }

    fn spoil(&mut self, ty: &ValueType, value: Value) -> (Value, Fault) {
        match (ty, value) {
            (ValueType::List(item), Value::List(mut items)) if !items.is_empty() && self.goes_inside() => {
                let i = self.choose(items.len());
                let fault = self.item(&mut items, i, item);
                (Value::List(items), fault)
            }
            (ValueType::Tuple(types), Value::List(mut items)) if self.goes_inside() => {
                let i = self.choose(items.len());
                let fault = self.item(&mut items, i, &types[i]);
                (Value::List(items), fault)
            }
            (ValueType::Option(some), Value::Object(mut fields)) if some.admits_null() => {
                let fault = self.field(&mut fields[0].1, some);
                (Value::Object(fields), fault)
            }
            (ValueType::Option(_), Value::Null) => (self.unfit(ty), Fault::Unfit),
            (ValueType::Option(some), value) => {
                let (spoilt, fault) = self.spoil(some, value);
                (if spoilt == Value::Null { unfit_but_present(some) } else { spoilt }, fault)
            }
            (ValueType::Record(types), Value::Object(mut fields)) => {
                let i = self.choose(fields.len());
                let required = !types[i].ty.admits_null();
                match self.choose(6) {
                    0 => (self.unfit(ty), Fault::Unfit),
                    1 if required => {
                        fields.remove(i);
                        (Value::Object(fields), Fault::MissingField)
                    }
                    2 => {
                        // It may replace an absent option, so that the number of fields does not
                        // give it away.
                        fields.retain(|(_, field)| *field != Value::Null);
                        fields.insert(i.min(fields.len()), (NO_SUCH.to_owned(), Value::Null));
                        (Value::Object(fields), Fault::UnknownField)
                    }
                    _ => {
                        self.path = format!("{}.{}", self.path, types[i].name);
                        let fault = self.field(&mut fields[i].1, &types[i].ty);
                        (Value::Object(fields), fault)
                    }
                }
            }
            (ValueType::Variant(cases), Value::Object(fields)) => {
                let payload = cases.iter().find(|case| case.name == fields[0].0);
                self.case(ty, fields, payload.and_then(|case| case.payload.as_ref()))
            }
            (ValueType::Variant(_), Value::String(name)) if self.goes_inside() => {
                (Value::Object(vec![(name, Value::Bool(true))]), Fault::Payload)
            }
            (ValueType::Result { ok, err }, Value::Object(fields)) => {
                let payload = if fields[0].0 == "ok" { ok } else { err };
                self.case(ty, fields, payload.as_deref())
            }
            (ty, _) => (self.unfit(ty), Fault::Unfit),
        }
    }

    fn item(&mut self, items: &mut [Value], i: usize, ty: &ValueType) -> Fault {
        self.path = format!("{}[{i}]", self.path);
        self.field(&mut items[i], ty)
    }

    fn field(&mut self, place: &mut Value, ty: &ValueType) -> Fault {
        let (spoilt, fault) = self.spoil(ty, std::mem::replace(place, Value::Null));
        *place = spoilt;
        fault
    }

    fn case(
        &mut self,
        ty: &ValueType,
        mut fields: Vec<(String, Value)>,
        payload: Option<&ValueType>,
    ) -> (Value, Fault) {
        let name = fields[0].0.clone();
        match (payload, self.choose(4)) {
            (_, 0) => (self.unfit(ty), Fault::Unfit),
            (None, _) => (Value::Object(vec![(name, Value::Bool(true))]), Fault::Payload),
            (Some(payload), 1) if !payload.admits_null() => (Value::String(name), Fault::Payload),
            (Some(payload), _) => {
                self.path = format!("{}.{name}", self.path);
                let fault = self.field(&mut fields[0].1, payload);
                (Value::Object(fields), fault)
            }
        }
    }

    /// A value that does not fit the type at all.
    fn unfit(&mut self, ty: &ValueType) -> Value {
        let text = |text: &str| Value::String(text.to_owned());
        let list = |one| Value::List(vec![one]);
        let object = |name: &str| Value::Object(vec![(name.to_owned(), Value::Null)]);
        let signed = |min: i64, max: i64| integer_unfits([Value::Signed(min - 1), Value::Signed(max + 1)]);
        let unsigned = |max: u64| integer_unfits([Value::Signed(-1), Value::Unsigned(max + 1)]);
        let mut unfits = match ty {
            ValueType::Bool => vec![Value::Signed(1), text("true"), Value::Null, list(Value::Bool(true))],
            ValueType::S8 => signed(i8::MIN.into(), i8::MAX.into()),
            ValueType::S16 => signed(i16::MIN.into(), i16::MAX.into()),
            ValueType::S32 => signed(i32::MIN.into(), i32::MAX.into()),
            ValueType::U8 => unsigned(u8::MAX.into()),
            ValueType::U16 => unsigned(u16::MAX.into()),
            ValueType::U32 => unsigned(u32::MAX.into()),
            ValueType::S64 => integer_unfits([text("-9223372036854775809"), Value::Unsigned(1 << 63)]),
            ValueType::U64 => integer_unfits([Value::Signed(-1), text("18446744073709551616")]),
            ValueType::F32 | ValueType::F64 => {
                vec![
                    Value::Bool(true),
                    text("1.5"),
                    text("inf"),
                    Value::Null,
                    Value::List(vec![]),
                    object("n"),
                ]
            }
            ValueType::Char => vec![text(""), text("ab"), Value::Signed(97), Value::Null],
            ValueType::String => {
                vec![Value::Signed(5), Value::Bytes(vec![b'a']), Value::Null, list(text("a"))]
            }
            ValueType::List(item) if **item == ValueType::U8 => {
                vec![text("%%%"), text("YQ"), Value::Signed(5), Value::Null, object("bytes")]
            }
            ValueType::List(_) => vec![text("a"), Value::Bytes(vec![1]), Value::Null, Value::Object(vec![])],
            ValueType::Option(some) => match self.unfit(some) {
                Value::Null => vec![unfit_but_present(some)],
                there => vec![there],
            },
            ValueType::Result { .. } => vec![
                Value::Signed(5),
                Value::Null,
                Value::List(vec![]),
                text(NO_SUCH),
                object(NO_SUCH),
                Value::Object(vec![("ok".into(), Value::Null), ("err".into(), Value::Null)]),
            ],
            ValueType::Record(_) => vec![Value::List(vec![]), text("a"), Value::Null, Value::Bool(true)],
            ValueType::Tuple(types) => {
                vec![object("0"), text("a"), Value::Null, Value::List(vec![Value::Null; types.len() + 1])]
            }
            ValueType::Enum(_) => vec![text(NO_SUCH), Value::Signed(0), Value::Null, object(NO_SUCH)],
            ValueType::Variant(_) => vec![text(NO_SUCH), object(NO_SUCH), Value::Signed(0), Value::Null],
            ValueType::Flags(_) => {
                vec![text(NO_SUCH), list(text(NO_SUCH)), list(Value::Signed(0)), Value::Null]
            }
            ValueType::Unsupported(what) => unreachable!("no {what} is generated"),
        };
        let i = self.choose(unfits.len());
        unfits.swap_remove(i)
    }
}

/// Values that no integer type takes, after one below its range and one above.
fn integer_unfits(beyond: [Value; 2]) -> Vec<Value> {
    let [below, above] = beyond;
    vec![
        below,
        above,
        Value::Number(0.5),
        Value::Number(f64::NAN),
        Value::Number(1e300),
        Value::Null,
        Value::Bool(true),
        Value::String("five".to_owned()),
        Value::List(vec![]),
        Value::Bytes(vec![1]),
    ]
}

/// A misfit that is not null, since null would be an absent option.
fn unfit_but_present(ty: &ValueType) -> Value {
    match ty {
        ValueType::Option(some) => unfit_but_present(some),
        ValueType::Bool => Value::Signed(1),
        _ => Value::Bool(true),
    }
}

//! Values of a type in every spelling that a caller may choose, with the one spelling
//! that results have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_types::{Value, ValueType};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Whole numbers up to this one are sent as floats, and larger ones as text.
const EXACT_MAX: i128 = 1 << 53;
/// Items of a list.
const ITEMS_MAX: usize = 4;

/// One value in two spellings.
#[derive(Debug, Clone)]
pub(super) struct Spelt {
    /// The value as it is sent.
    pub(super) given: Value,
    /// The value as it comes back.
    pub(super) back: Value,
}

impl Spelt {
    fn same(value: Value) -> Self {
        Self { given: value.clone(), back: value }
    }
}

/// Values of `ty`.
pub(super) fn of(ty: &ValueType) -> BoxedStrategy<Spelt> {
    let signed = |min: i64, max: i64| integer(min.into(), max.into(), false);
    let unsigned = |max: u64| integer(0, max.into(), true);
    match ty {
        ValueType::Bool => any::<bool>().prop_map(|b| Spelt::same(Value::Bool(b))).boxed(),
        ValueType::S8 => signed(i8::MIN.into(), i8::MAX.into()),
        ValueType::S16 => signed(i16::MIN.into(), i16::MAX.into()),
        ValueType::S32 => signed(i32::MIN.into(), i32::MAX.into()),
        ValueType::S64 => wide(signed(i64::MIN, i64::MAX)),
        ValueType::U8 => unsigned(u8::MAX.into()),
        ValueType::U16 => unsigned(u16::MAX.into()),
        ValueType::U32 => unsigned(u32::MAX.into()),
        ValueType::U64 => wide(unsigned(u64::MAX)),
        ValueType::F32 => float(|n| f64::from(n as f32)),
        ValueType::F64 => float(|n| n),
        ValueType::Char => any::<char>().prop_map(|c| Spelt::same(Value::String(c.into()))).boxed(),
        ValueType::String => prop_oneof![".{0,12}", "[ -~]{0,40}", Just("NaN".to_owned())]
            .prop_map(|text| Spelt::same(Value::String(text)))
            .boxed(),
        ValueType::List(item) if **item == ValueType::U8 => bytes(),
        ValueType::List(item) => vec(of(item), 0..=ITEMS_MAX).prop_map(list).boxed(),
        ValueType::Option(some) => option(some),
        ValueType::Result { ok, err } => {
            prop_oneof![case("ok", ok.as_deref(), false), case("err", err.as_deref(), false)].boxed()
        }
        ValueType::Record(fields) => {
            let names: Vec<_> = fields.iter().map(|field| field.name.clone()).collect();
            let values: Vec<_> = fields.iter().map(|field| of(&field.ty)).collect();
            (values, any::<bool>(), any::<u64>())
                .prop_map(move |(values, omits, turn)| record(&names, values, omits, turn))
                .boxed()
        }
        ValueType::Tuple(items) => items.iter().map(of).collect::<Vec<_>>().prop_map(list).boxed(),
        ValueType::Enum(names) => {
            select(names.clone()).prop_map(|name| Spelt::same(Value::String(name))).boxed()
        }
        ValueType::Variant(cases) => {
            let cases: Vec<_> = cases.iter().map(|one| case(&one.name, one.payload.as_ref(), true)).collect();
            proptest::strategy::Union::new(cases).boxed()
        }
        ValueType::Flags(names) => flags(names),
        ValueType::Unsupported(what) => unreachable!("no {what} is generated"),
    }
}

/// The result for a list of `values`.
pub(super) fn list_back(ty: &ValueType, values: &[Spelt]) -> Value {
    if *ty == ValueType::U8 {
        let byte = |spelt: &Spelt| match spelt.back {
            Value::Unsigned(byte) => u8::try_from(byte).unwrap(),
            _ => unreachable!("a u8 comes back unsigned"),
        };
        return Value::String(STANDARD.encode(values.iter().map(byte).collect::<Vec<_>>()));
    }
    Value::List(values.iter().map(|spelt| spelt.back.clone()).collect())
}

/// `value` as it is after it was sent inside a `google.protobuf.Value`.
pub(super) fn as_from_the_wire(value: Value) -> Value {
    let whole = |n: i128| {
        if n.abs() <= EXACT_MAX { Value::Number(n as f64) } else { Value::String(n.to_string()) }
    };
    match value {
        Value::Signed(n) => whole(n.into()),
        Value::Unsigned(n) => whole(n.into()),
        Value::Number(n) if n.is_nan() => Value::String("NaN".into()),
        Value::Number(n) if n.is_infinite() => {
            Value::String(if n > 0.0 { "Infinity" } else { "-Infinity" }.into())
        }
        Value::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        Value::List(items) => Value::List(items.into_iter().map(as_from_the_wire).collect()),
        Value::Object(fields) => {
            let mut fields: Vec<_> =
                fields.into_iter().map(|(name, field)| (name, as_from_the_wire(field))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields)
        }
        same @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => same,
    }
}

/// Whether there are raw bytes in `value`.
pub(super) fn has_bytes(value: &Value) -> bool {
    match value {
        Value::Bytes(_) => true,
        Value::List(items) => items.iter().any(has_bytes),
        Value::Object(fields) => fields.iter().any(|(_, field)| has_bytes(field)),
        _ => false,
    }
}

/// `value` with the same bits in every NaN, since WebAssembly may change them.
pub(super) fn with_one_nan(value: Value) -> Value {
    match value {
        Value::Number(n) if n.is_nan() => Value::Number(f64::NAN),
        Value::List(items) => Value::List(items.into_iter().map(with_one_nan).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, field)| (name, with_one_nan(field))).collect())
        }
        same => same,
    }
}

fn integer(min: i128, max: i128, unsigned: bool) -> BoxedStrategy<Spelt> {
    let edges = [min, min + 1, -EXACT_MAX - 1, -EXACT_MAX, -1, 0, 1, EXACT_MAX, EXACT_MAX + 1, max - 1, max];
    let edges: Vec<_> = edges.into_iter().filter(|n| (min..=max).contains(n)).collect();
    (prop_oneof![select(edges), min..=max], 0..3_u8)
        .prop_map(move |(n, spelling)| {
            let as_signed = i64::try_from(n).ok().map(Value::Signed);
            let as_unsigned = u64::try_from(n).ok().map(Value::Unsigned);
            let back = if unsigned { as_unsigned.clone() } else { as_signed.clone() };
            let given = match spelling {
                0 => as_signed,
                1 => as_unsigned,
                _ => (n.abs() <= EXACT_MAX).then_some(Value::Number(n as f64)),
            };
            let back = back.unwrap();
            Spelt { given: given.unwrap_or_else(|| back.clone()), back }
        })
        .boxed()
}

/// 64-bit integers, which may be text too.
fn wide(integers: BoxedStrategy<Spelt>) -> BoxedStrategy<Spelt> {
    (integers, any::<bool>())
        .prop_map(|(Spelt { given, back }, as_text)| match (&back, as_text) {
            (Value::Signed(n), true) => Spelt { given: Value::String(n.to_string()), back },
            (Value::Unsigned(n), true) => Spelt { given: Value::String(n.to_string()), back },
            _ => Spelt { given, back },
        })
        .boxed()
}

fn float(rounded: fn(f64) -> f64) -> BoxedStrategy<Spelt> {
    let specials = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        0.0,
        -0.0,
        0.1,
        5e-324,
        1e-45,
        f64::MAX,
        f64::MIN,
        f64::from(f32::MAX),
        f64::from(f32::MIN_POSITIVE),
    ];
    let numbers = prop_oneof![proptest::num::f64::ANY, select(specials.to_vec())]
        .prop_map(move |n| Spelt { given: Value::Number(n), back: Value::Number(rounded(n)) });
    let texts =
        select(&[("NaN", f64::NAN), ("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)][..])
            .prop_map(|(text, n)| Spelt { given: Value::String(text.into()), back: Value::Number(n) });
    let whole = prop_oneof![any::<i64>(), -1000..1000_i64]
        .prop_map(move |n| Spelt { given: Value::Signed(n), back: Value::Number(rounded(n as f64)) });
    let positive = any::<u64>()
        .prop_map(move |n| Spelt { given: Value::Unsigned(n), back: Value::Number(rounded(n as f64)) });
    prop_oneof![6 => numbers, 1 => texts, 1 => whole, 1 => positive]
        .prop_map(|Spelt { given, back }| Spelt { given, back: with_one_nan(back) })
        .boxed()
}

fn list(items: Vec<Spelt>) -> Spelt {
    let (given, back) = items.into_iter().map(|one| (one.given, one.back)).unzip();
    Spelt { given: Value::List(given), back: Value::List(back) }
}

/// Bytes: raw, as base64 text, or as a list of numbers.
fn bytes() -> BoxedStrategy<Spelt> {
    (vec(any::<u8>(), 0..20), 0..3_u8)
        .prop_map(|(bytes, spelling)| {
            let back = Value::String(STANDARD.encode(&bytes));
            let given = match spelling {
                0 => back.clone(),
                1 => Value::List(bytes.iter().map(|byte| Value::Unsigned((*byte).into())).collect()),
                _ => Value::Bytes(bytes),
            };
            Spelt { given, back }
        })
        .boxed()
}

fn option(some: &ValueType) -> BoxedStrategy<Spelt> {
    let nested = some.admits_null();
    let wrapped = |value| Value::Object(vec![("some".to_owned(), value)]);
    let present = (of(some), any::<bool>()).prop_map(move |(Spelt { given, back }, bare)| {
        if !nested {
            return Spelt { given, back };
        }
        // A value that is neither null nor an object needs no wrapper.
        let bare = bare && !matches!(given, Value::Null | Value::Object(_));
        Spelt { given: if bare { given } else { wrapped(given) }, back: wrapped(back) }
    });
    prop_oneof![1 => Just(Spelt::same(Value::Null)), 3 => present].boxed()
}

/// A case of a variant, or an arm of a result. A result comes back as an object even
/// if its arm has no payload.
fn case(name: &str, payload: Option<&ValueType>, variant: bool) -> BoxedStrategy<Spelt> {
    let text = Value::String(name.to_owned());
    let name = name.to_owned();
    let object = move |payload| Value::Object(vec![(name.clone(), payload)]);
    let Some(payload) = payload else {
        let spellings = vec![text.clone(), object(Value::Null)];
        let back = if variant { text } else { object(Value::Null) };
        return select(spellings).prop_map(move |given| Spelt { given, back: back.clone() }).boxed();
    };
    let optional = payload.admits_null();
    (of(payload), any::<bool>())
        .prop_map(move |(Spelt { given, back }, short)| {
            let short = short && optional && back == Value::Null;
            Spelt { given: if short { text.clone() } else { object(given) }, back: object(back) }
        })
        .boxed()
}

/// A record, its fields in any order, absent options omitted or null.
fn record(names: &[String], values: Vec<Spelt>, omits: bool, turn: u64) -> Spelt {
    let mut given = Vec::new();
    let mut back = Vec::new();
    for (name, value) in names.iter().zip(values) {
        if !omits || value.given != Value::Null {
            given.push((name.clone(), value.given));
        }
        back.push((name.clone(), value.back));
    }
    let fields = given.len().max(1) as u64;
    given.rotate_left((turn % fields) as usize);
    Spelt { given: Value::Object(given), back: Value::Object(back) }
}

/// Flags in any order, some of them twice.
fn flags(names: &[String]) -> BoxedStrategy<Spelt> {
    let texts = |names: Vec<String>| Value::List(names.into_iter().map(Value::String).collect());
    subsequence(names.to_vec(), 0..=names.len())
        .prop_flat_map(move |set| {
            let doubled = set.iter().cloned().chain(set.first().cloned()).collect::<Vec<_>>();
            (Just(set), Just(doubled).prop_shuffle())
        })
        .prop_map(move |(set, given)| Spelt { given: texts(given), back: texts(set) })
        .boxed()
}

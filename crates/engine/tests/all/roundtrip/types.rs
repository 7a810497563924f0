//! Types of WIT, with names that could be confused with other words.

use pilum_types::{Case, Field, ValueType};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

/// Names of fields, cases and flags: words that this host's own spelling of values
/// uses, words of JSON and WIT, a short name and a long one.
const NAMES: &[&str] = &[
    "ok",
    "err",
    "some",
    "none",
    "null",
    "true",
    "a",
    "b",
    "x1",
    "record",
    "list",
    "string",
    "u8",
    "nan",
    "is-UPPER",
    "with-many-words-in-its-name",
];
/// The most flags that the component model allows.
const FLAGS_MAX: usize = 32;

/// Levels of types inside each other, types in one type in all, and types side by side.
const LEVELS: u32 = 4;
const SIZE: u32 = 24;
const WIDTH: usize = 5;

pub(super) fn any_type() -> impl Strategy<Value = ValueType> {
    leaf().prop_recursive(LEVELS, SIZE, 5, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let arm = || proptest::option::of(boxed());
        prop_oneof![
            3 => boxed().prop_map(ValueType::List),
            3 => boxed().prop_map(ValueType::Option),
            1 => boxed().prop_map(|some| ValueType::Option(Box::new(ValueType::Option(some)))),
            3 => (arm(), arm()).prop_map(|(ok, err)| ValueType::Result { ok, err }),
            3 => named(inner.clone()).prop_map(|fields| {
                ValueType::Record(fields.into_iter().map(|(name, ty)| Field { name, ty }).collect())
            }),
            3 => proptest::collection::vec(inner.clone(), 1..=WIDTH).prop_map(ValueType::Tuple),
            3 => named(proptest::option::of(inner)).prop_map(|cases| {
                ValueType::Variant(cases.into_iter().map(|(name, payload)| Case { name, payload }).collect())
            }),
        ]
    })
}

fn leaf() -> impl Strategy<Value = ValueType> {
    let scalars = vec![
        ValueType::Bool,
        ValueType::S8,
        ValueType::U8,
        ValueType::S16,
        ValueType::U16,
        ValueType::S32,
        ValueType::U32,
        ValueType::S64,
        ValueType::U64,
        ValueType::F32,
        ValueType::F64,
        ValueType::Char,
        ValueType::String,
    ];
    prop_oneof![
        8 => proptest::sample::select(scalars),
        1 => Just(ValueType::List(Box::new(ValueType::U8))),
        1 => names().prop_map(ValueType::Enum),
        // More than 256 cases, so that the number of a case takes two bytes.
        1 => (1..300_usize).prop_map(|cases| ValueType::Enum(numbered(cases))),
        1 => names().prop_map(ValueType::Flags),
        1 => (1..=FLAGS_MAX).prop_map(|flags| ValueType::Flags(numbered(flags))),
    ]
}

fn numbered(names: usize) -> Vec<String> {
    (0..names).map(|i| format!("n{i}")).collect()
}

fn names() -> impl Strategy<Value = Vec<String>> {
    subsequence(NAMES, 1..=WIDTH)
        .prop_shuffle()
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

/// Each name with a value of its own.
fn named<T: std::fmt::Debug + Clone>(
    inner: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<(String, T)>> {
    (names(), proptest::collection::vec(inner, WIDTH), any::<Index>()).prop_map(|(names, types, first)| {
        let first = first.index(types.len());
        let types = types.iter().cycle().skip(first).cloned();
        names.into_iter().zip(types).collect()
    })
}

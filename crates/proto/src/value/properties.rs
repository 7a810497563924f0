//! Generated values, converted to messages and back.

use super::messages::TYPE_URL_PREFIX;
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pilum_types::{Output, Value};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;
use prost_types::Any;

const EXACT_MAX: i128 = 1 << 53;

/// Values as callers and guests make them. No object has the same field twice, because
/// the wire cannot carry that.
fn values() -> impl Strategy<Value = Value> {
    let edges = [0, 1, EXACT_MAX - 1, EXACT_MAX, EXACT_MAX + 1, i64::MAX.into(), u64::MAX.into()];
    let edge = select(edges.to_vec());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Signed),
        any::<u64>().prop_map(Value::Unsigned),
        edge.clone().prop_map(|n| Value::Unsigned(n as u64)),
        edge.prop_map(|n| i64::try_from(-n).map_or(Value::Signed(i64::MIN), Value::Signed)),
        proptest::num::f64::ANY.prop_map(Value::Number),
        select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]).prop_map(Value::Number),
        ".{0,12}".prop_map(Value::String),
        vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        let fields = btree_map(".{0,6}", inner.clone(), 0..6);
        prop_oneof![
            vec(inner, 0..6).prop_map(Value::List),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A value after it was inside a `google.protobuf.Value`: numbers are floats, or text
/// where a float is not exact; bytes are base64 text.
fn through_protobuf_value(value: Value) -> Value {
    let whole =
        |n: i128| if n.abs() <= EXACT_MAX { Value::Number(n as f64) } else { Value::String(n.to_string()) };
    match value {
        Value::Signed(n) => whole(n.into()),
        Value::Unsigned(n) => whole(n.into()),
        Value::Number(n) if n.is_nan() => Value::String("NaN".into()),
        Value::Number(f64::INFINITY) => Value::String("Infinity".into()),
        Value::Number(f64::NEG_INFINITY) => Value::String("-Infinity".into()),
        Value::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        Value::List(items) => Value::List(items.into_iter().map(through_protobuf_value).collect()),
        Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(name, field)| (name, through_protobuf_value(field))).collect(),
        ),
        same @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => same,
    }
}

/// The same message after it was encoded and decoded.
fn encoded_and_decoded(any: &Any) -> Any {
    Any::decode(any.encode_to_vec().as_slice()).expect("an Any")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parameters_arrive_as_they_were_sent(value in values()) {
        let any = parameter_to_any(&value).expect("shallow");
        let arrives = match &value {
            // Outside lists and objects, these have messages of their own.
            Value::Signed(_) | Value::Unsigned(_) | Value::Bytes(_) => value,
            _ => through_protobuf_value(value),
        };
        prop_assert_eq!(value_from_any(&encoded_and_decoded(&any)), Ok(arrives));
    }

    #[test]
    fn results_arrive_as_they_were_returned(value in values()) {
        let any = output_to_any(&Output::Typed(value.clone())).expect("shallow");
        let arrived = output_from_any(&encoded_and_decoded(&any));
        prop_assert_eq!(&arrived, &Ok(Output::Typed(through_protobuf_value(value))));
        // A value that arrived and is sent again does not change.
        let again = output_to_any(&arrived.clone().expect("checked")).expect("shallow");
        prop_assert_eq!(output_from_any(&encoded_and_decoded(&again)), arrived);
    }

    /// Any bytes are a value or an error; none of them panics.
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..64), name in select(ACCEPTED.to_vec())) {
        let any = Any { type_url: [TYPE_URL_PREFIX, name].concat(), value: bytes };
        let _either = value_from_any(&any);
    }
}

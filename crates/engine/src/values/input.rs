//! The two ways in which a caller's values are fitted to the types of a function.
//!
//! Before a call runs, its values are owned and become wasmtime's values; texts are
//! moved. When an asynchronous call is submitted, its values are borrowed, and it is
//! only checked that they fit; nothing is made of them. The rules are the same, so
//! `lower` and `matching` are generic over the traits here.

use pilum_types::{Parameter, Value};
use std::borrow::Borrow;
use std::marker::PhantomData;
use wasmtime::component::Val;

/// A caller's value: a [`Value`] that becomes a [`Val`], or a `&Value` that is checked.
pub(crate) trait Input: Borrow<Value> + Sized {
    /// A text inside the value.
    type Text: AsRef<str>;
    /// The items of a list.
    type Items: ExactSizeIterator<Item = Self>;
    /// What is made of the value.
    type Lowered: Lowered<Text = Self::Text>;

    /// An absent value.
    fn null() -> Self;

    /// The text of a string, or the value itself if it is no string.
    fn into_text(self) -> Result<Self::Text, Self>;

    /// The items of a list, or the value itself if it is no list.
    fn into_items(self) -> Result<Self::Items, Self>;

    /// The fields of an object, or the value itself if it is no object.
    fn into_fields(self) -> Result<Vec<(Self::Text, Self)>, Self>;
}

/// What is made of a value that fits its type: a [`Val`], or [`Checked`].
pub(crate) trait Lowered: Sized {
    /// A text that is moved into it.
    type Text;
    /// The name of a record's field.
    type Name: for<'a> From<&'a str>;

    /// A value without other values or texts inside.
    fn plain(val: Val) -> Self;
    /// A string.
    fn string(text: Self::Text) -> Self;
    /// A case of an enum.
    fn enum_case(name: Self::Text) -> Self;
    /// Flags that are set.
    fn flags(names: Vec<Self::Text>) -> Self;
    /// A list.
    fn list(items: Vec<Self>) -> Self;
    /// A tuple.
    fn tuple(items: Vec<Self>) -> Self;
    /// A record.
    fn record(fields: Vec<(Self::Name, Self)>) -> Self;
    /// A present option.
    fn some(inner: Self) -> Self;
    /// A case of a variant.
    fn variant(name: Self::Text, payload: Option<Self>) -> Self;
    /// An arm of a result.
    fn result(arm: Result<Option<Self>, Option<Self>>) -> Self;
}

/// A caller's parameter: a [`Parameter`] whose value is lowered, or a `&Parameter`
/// whose value is checked.
pub(crate) trait Given: Borrow<Parameter> {
    /// Its value.
    type Value: Input;

    /// Its value.
    fn into_value(self) -> Self::Value;
    /// Its name and its value.
    fn into_named_value(self) -> (String, Self::Value);
}

/// What is made of a value that is only checked: nothing. It takes no memory.
pub(crate) struct Checked<'a>(PhantomData<&'a str>);

/// The name of a field of a record that is only checked.
pub(crate) struct NoName;

/// An absent value, to be borrowed.
static NULL: Value = Value::Null;

impl Input for Value {
    type Text = String;
    type Items = std::vec::IntoIter<Self>;
    type Lowered = Val;

    fn null() -> Self {
        Self::Null
    }

    fn into_text(self) -> Result<String, Self> {
        if let Self::String(text) = self { Ok(text) } else { Err(self) }
    }

    fn into_items(self) -> Result<Self::Items, Self> {
        if let Self::List(items) = self { Ok(items.into_iter()) } else { Err(self) }
    }

    fn into_fields(self) -> Result<Vec<(String, Self)>, Self> {
        if let Self::Object(fields) = self { Ok(fields) } else { Err(self) }
    }
}

impl<'a> Input for &'a Value {
    type Text = &'a str;
    type Items = std::slice::Iter<'a, Value>;
    type Lowered = Checked<'a>;

    fn null() -> Self {
        &NULL
    }

    fn into_text(self) -> Result<&'a str, Self> {
        if let Value::String(text) = self { Ok(text) } else { Err(self) }
    }

    fn into_items(self) -> Result<Self::Items, Self> {
        if let Value::List(items) = self { Ok(items.iter()) } else { Err(self) }
    }

    fn into_fields(self) -> Result<Vec<(&'a str, Self)>, Self> {
        let Value::Object(fields) = self else { return Err(self) };
        Ok(fields.iter().map(|(name, field)| (name.as_str(), field)).collect())
    }
}

impl Lowered for Val {
    type Text = String;
    type Name = String;

    fn plain(val: Self) -> Self {
        val
    }

    fn string(text: String) -> Self {
        Self::String(text)
    }

    fn enum_case(name: String) -> Self {
        Self::Enum(name)
    }

    fn flags(names: Vec<String>) -> Self {
        Self::Flags(names)
    }

    fn list(items: Vec<Self>) -> Self {
        Self::List(items)
    }

    fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(items)
    }

    fn record(fields: Vec<(String, Self)>) -> Self {
        Self::Record(fields)
    }

    fn some(inner: Self) -> Self {
        Self::Option(Some(Box::new(inner)))
    }

    fn variant(name: String, payload: Option<Self>) -> Self {
        Self::Variant(name, payload.map(Box::new))
    }

    fn result(arm: Result<Option<Self>, Option<Self>>) -> Self {
        Self::Result(arm.map(|ok| ok.map(Box::new)).map_err(|err| err.map(Box::new)))
    }
}

impl Checked<'_> {
    const NOTHING: Self = Self(PhantomData);
}

impl<'a> Lowered for Checked<'a> {
    type Text = &'a str;
    type Name = NoName;

    fn plain(_: Val) -> Self {
        Self::NOTHING
    }

    fn string(_: &'a str) -> Self {
        Self::NOTHING
    }

    fn enum_case(_: &'a str) -> Self {
        Self::NOTHING
    }

    fn flags(_: Vec<&'a str>) -> Self {
        Self::NOTHING
    }

    fn list(_: Vec<Self>) -> Self {
        Self::NOTHING
    }

    fn tuple(_: Vec<Self>) -> Self {
        Self::NOTHING
    }

    fn record(_: Vec<(NoName, Self)>) -> Self {
        Self::NOTHING
    }

    fn some(_: Self) -> Self {
        Self::NOTHING
    }

    fn variant(_: &'a str, _: Option<Self>) -> Self {
        Self::NOTHING
    }

    fn result(_: Result<Option<Self>, Option<Self>>) -> Self {
        Self::NOTHING
    }
}

impl From<&str> for NoName {
    fn from(_: &str) -> Self {
        Self
    }
}

impl Given for Parameter {
    type Value = Value;

    fn into_value(self) -> Value {
        self.value
    }

    fn into_named_value(self) -> (String, Value) {
        (self.name, self.value)
    }
}

impl<'a> Given for &'a Parameter {
    type Value = &'a Value;

    fn into_value(self) -> &'a Value {
        &self.value
    }

    fn into_named_value(self) -> (String, &'a Value) {
        (self.name.clone(), &self.value)
    }
}

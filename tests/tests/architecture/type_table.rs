//! The page on types has a row for each kind of type.

use crate::tree::{read, root};
use pilum_types::ValueType::{self, *};

#[test]
fn every_type_is_in_the_table() {
    let text = read(&root().join("docs/types.md"));
    let scalars = [Bool, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, Char, String];
    let compound = [
        List(Box::new(Bool)),
        Option(Box::new(Bool)),
        Result { ok: None, err: None },
        Record(vec![]),
        Tuple(vec![]),
        Enum(vec![]),
        Variant(vec![]),
        Flags(vec![]),
    ];
    for ty in scalars.iter().chain(&compound) {
        let word = in_wit(ty);
        let row = text.lines().any(|line| line.starts_with("| ") && line.contains(&word));
        assert!(row, "docs/types.md has no row for {word}");
    }
}

/// A type as WIT writes it, with placeholders for its parts.
fn in_wit(ty: &ValueType) -> std::string::String {
    match ty {
        Bool | S8 | U8 | S16 | U16 | S32 | U32 | S64 | U64 | F32 | F64 | Char | String => format!("`{ty}`"),
        List(_) => "`list<T>`".to_owned(),
        Option(_) => "`option<T>`".to_owned(),
        Result { .. } => "`result<T, E>`".to_owned(),
        Record(_) => "`record { … }`".to_owned(),
        Tuple(_) => "`tuple<…>`".to_owned(),
        Enum(_) => "`enum { … }`".to_owned(),
        Variant(_) => "`variant { … }`".to_owned(),
        Flags(_) => "`flags { … }`".to_owned(),
        Unsupported(what) => format!("{what}s"),
    }
}

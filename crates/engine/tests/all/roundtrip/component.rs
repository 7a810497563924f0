//! A component whose only function returns the list that it gets, out of the guest's own
//! memory.

use pilum_types::ValueType;
use std::fmt::Write;

/// The function's name.
pub(super) const FUNCTION: &str = "echo";
/// The name of its parameter.
pub(super) const PARAMETER: &str = "items";

/// The list's address and length are passed as two numbers and returned as the address
/// of those numbers. Memory is allocated upwards and freed when the result has been read.
const CORE: &str = r#"
  (core module $m
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 16))
    (func (export "realloc") (param $old i32) (param i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (if (local.get $old) (then unreachable))
      (local.set $at (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $size)))
      (block $fits (loop $grow
        (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
        (br $grow)))
      (local.get $at))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 8) (local.get 0))
      (i32.store (i32.const 12) (local.get 1))
      (i32.const 8))
    (func (export "reset") (param i32) (global.set $next (i32.const 16))))
  (core instance $i (instantiate $m))"#;

/// The component for lists of `ty`, as WAT.
pub(super) fn of(ty: &ValueType) -> String {
    let mut types = Types::default();
    let item = types.reference(ty);
    let declared = types.declared;
    format!(
        r#"(component {CORE}{declared}
  (func (export "{FUNCTION}") (param "{PARAMETER}" (list {item})) (result (list {item}))
    (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))
      (post-return (core func $i "reset")))))"#
    )
}

#[derive(Default)]
struct Types {
    declared: String,
    count: usize,
}

impl Types {
    /// How the type is written where it is used. Records and all else that has
    /// names inside must have a name of its own outside.
    fn reference(&mut self, ty: &ValueType) -> String {
        let quoted = |names: &[String]| names.iter().map(|name| format!(" \"{name}\"")).collect::<String>();
        match ty {
            ValueType::List(item) => format!("(list {})", self.reference(item)),
            ValueType::Option(some) => format!("(option {})", self.reference(some)),
            ValueType::Result { ok, err } => {
                let ok = ok.as_ref().map(|ok| format!(" {}", self.reference(ok))).unwrap_or_default();
                let err = err.as_ref().map(|err| format!(" (error {})", self.reference(err)));
                format!("(result{ok}{})", err.unwrap_or_default())
            }
            ValueType::Tuple(items) => {
                let items: String = items.iter().map(|item| format!(" {}", self.reference(item))).collect();
                format!("(tuple{items})")
            }
            ValueType::Record(fields) => {
                let field = |field: &pilum_types::Field| {
                    format!(" (field \"{}\" {})", field.name, self.reference(&field.ty))
                };
                let fields: String = fields.iter().map(field).collect();
                self.declare(&format!("(record{fields})"))
            }
            ValueType::Variant(cases) => {
                let case = |case: &pilum_types::Case| match &case.payload {
                    Some(payload) => format!(" (case \"{}\" {})", case.name, self.reference(payload)),
                    None => format!(" (case \"{}\")", case.name),
                };
                let cases: String = cases.iter().map(case).collect();
                self.declare(&format!("(variant{cases})"))
            }
            ValueType::Enum(names) => self.declare(&format!("(enum{})", quoted(names))),
            ValueType::Flags(names) => self.declare(&format!("(flags{})", quoted(names))),
            scalar => scalar.to_string(),
        }
    }

    fn declare(&mut self, definition: &str) -> String {
        let i = self.count;
        self.count += 1;
        write!(self.declared, "\n  (type $t{i} {definition})\n  (export $e{i} \"t{i}\" (type $t{i}))")
            .unwrap();
        format!("$e{i}")
    }
}

//! The exported interface: `pilum:examples/echo`.

use std::sync::atomic::{AtomicU32, Ordering};

use exports::pilum::examples::echo::{Color, Guest, Permissions, Person, Shape};

wit_bindgen::generate!({ world: "values-echo" });

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Component;

/// `echo!(name: type)` is a function that returns its argument.
macro_rules! echo {
    ($($name:ident: $type:ty),* $(,)?) => {
        $(fn $name(value: $type) -> $type {
            value
        })*
    };
}

impl Guest for Component {
    echo! {
        echo_bool: bool,
        echo_u8: u8,
        echo_s8: i8,
        echo_u16: u16,
        echo_s16: i16,
        echo_u32: u32,
        echo_s32: i32,
        echo_u64: u64,
        echo_s64: i64,
        echo_f32: f32,
        echo_f64: f64,
        echo_char: char,
        echo_string: String,
        echo_list_u8: Vec<u8>,
        echo_list_string: Vec<String>,
        echo_option_string: Option<String>,
        echo_option_option_u32: Option<Option<u32>>,
        echo_result: Result<u32, String>,
        echo_list_result: Vec<Result<u32, String>>,
        echo_record: Person,
        echo_tuple: (u32, String, bool),
        echo_enum: Color,
        echo_variant: Shape,
        echo_flags: Permissions,
    }

    fn print(line: String) {
        println!("{line}");
    }

    fn complain(line: String) {
        eprintln!("{line}");
    }

    fn env(name: String) -> Option<String> {
        // `var` panics on a name that no variable can have.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        std::env::var(name).ok()
    }

    fn list_dir(path: String) -> Result<Vec<String>, String> {
        let failed = |error: std::io::Error| format!("cannot list {path}: {error}");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn connect(address: String) -> Result<(), String> {
        crate::network::connect(&address)
    }

    fn fail(message: String) -> Result<u32, String> {
        Err(message)
    }

    fn counter() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }
}

export!(Component);

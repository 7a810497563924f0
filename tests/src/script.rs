//! Small guests that tests make themselves, so that a test shows what its guest does
//! and compiling the guest takes no time.

use anyhow::Result;
use std::time::Duration;

/// A command that sleeps, writes and exits, in this order.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// How long it sleeps first, in one host call.
    pub sleep: Duration,
    /// What it writes to standard output.
    pub stdout: String,
    /// What it writes to standard error.
    pub stderr: String,
    /// Its exit code.
    pub exit_code: u32,
}

/// Compiles the text form of WebAssembly.
///
/// # Errors
/// If the text is wrong.
pub fn wasm(text: &str) -> Result<Vec<u8>> {
    Ok(wat::parse_str(text)?)
}

impl Script {
    /// A command that sleeps and ends with exit code 0.
    pub fn sleeps(sleep: Duration) -> Self {
        Self { sleep, ..Self::default() }
    }

    /// A command that ends at once with this code.
    pub fn exits(exit_code: u32) -> Self {
        Self { exit_code, ..Self::default() }
    }

    /// A command that writes this to standard output.
    pub fn prints(stdout: &str) -> Self {
        Self { stdout: stdout.to_owned(), ..Self::default() }
    }

    /// The command's code. Different scripts have different digests.
    ///
    /// # Errors
    /// If the module cannot be made.
    pub fn wasm(&self) -> Result<Vec<u8>> {
        const TEXT_AT: usize = 1024;
        let Self { sleep, stdout, stderr, exit_code } = self;
        let nanos = sleep.as_nanos();
        let (out_at, err_at) = (TEXT_AT, TEXT_AT + stdout.len());
        let (out_len, err_len) = (stdout.len(), stderr.len());
        let pages = (err_at + err_len).div_ceil(64 << 10);
        let texts: String = [stdout, stderr].iter().flat_map(|text| text.bytes()).map(escaped).collect();
        // At address 0 is a subscription of WASI preview 1 to the monotonic clock, with a
        // relative time; at address 256 is an iovec.
        wasm(&format!(
            r#"(module
              (import "wasi_snapshot_preview1" "poll_oneoff"
                (func $poll (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "fd_write"
                (func $fd_write (param i32 i32 i32 i32) (result i32)))
              (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") {pages})
              (data (i32.const 16) "\01")
              (data (i32.const {TEXT_AT}) "{texts}")
              (func $write (param $fd i32) (param $at i32) (param $len i32)
                (loop $more
                  (if (i32.eqz (local.get $len)) (then (return)))
                  (i32.store (i32.const 256) (local.get $at))
                  (i32.store (i32.const 260) (local.get $len))
                  (if (call $fd_write (local.get $fd) (i32.const 256) (i32.const 1) (i32.const 264))
                    (then (unreachable)))
                  (local.set $at (i32.add (local.get $at) (i32.load (i32.const 264))))
                  (local.set $len (i32.sub (local.get $len) (i32.load (i32.const 264))))
                  (br $more)))
              (func (export "_start")
                (i64.store (i32.const 24) (i64.const {nanos}))
                (if (i64.ne (i64.const {nanos}) (i64.const 0))
                  (then (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
                (call $write (i32.const 1) (i32.const {out_at}) (i32.const {out_len}))
                (call $write (i32.const 2) (i32.const {err_at}) (i32.const {err_len}))
                (call $exit (i32.const {exit_code}))))"#
        ))
    }
}

/// A byte as it is written in the text of a data segment.
fn escaped(byte: u8) -> String {
    format!("\\{byte:02x}")
}

//! Commands whose output is read while they still write.
//!
//! - `lines`: `count` lines, with a pause of `pause_ms` before each except the first;
//! - `flood`: `kib` KiB of zeros in chunks of 64 KiB;
//! - `fail`: a line, then exit code 3.

use serde::Deserialize;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(default)]
struct Parameters {
    count: u32,
    pause_ms: u64,
    kib: u64,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { count: 3, pause_ms: 0, kib: 64 }
    }
}

fn main() -> io::Result<ExitCode> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let Parameters { count, pause_ms, kib } = serde_json::from_str(&text).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    match std::env::args().nth(1).as_deref() {
        Some("lines") => {
            for i in 0..count {
                if i > 0 {
                    sleep(Duration::from_millis(pause_ms));
                }
                writeln!(out, "line {i}")?;
                out.flush()?;
            }
        }
        Some("flood") => {
            let chunk = [0; 64 << 10];
            let mut left = kib << 10;
            while left > 0 {
                let now = left.min(chunk.len() as u64);
                out.write_all(chunk.get(..now as usize).unwrap_or_default())?;
                left -= now;
            }
            out.flush()?;
        }
        _ => {
            writeln!(out, "before the end")?;
            out.flush()?;
            return Ok(ExitCode::from(3));
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! Hostile: writes without end, and continues when a write fails.
//!
//! It writes blocks of 64 KiB to standard output. Called as the function `stderr`
//! (`argv[1]`), it writes lines to standard error, which are log lines for the host.

use std::io::{self, Write};

const BLOCK_BYTES: usize = 64 * 1024;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("stderr") { flood_stderr() } else { flood_stdout() }
}

fn flood_stdout() -> ! {
    let block = vec![b'x'; BLOCK_BYTES];
    let mut stdout = io::stdout().lock();
    loop {
        let _ = stdout.write_all(&block);
    }
}

fn flood_stderr() -> ! {
    let mut stderr = io::stderr().lock();
    for number in 0_u64.. {
        // Each line is one write, because standard error is not buffered.
        let line = format!("line {number} of very many that nobody asked for\n");
        let _ = stderr.write_all(line.as_bytes());
    }
    unreachable!("2^64 lines were written")
}

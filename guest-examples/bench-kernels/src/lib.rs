//! A core module of four kernels that only compute, for the host's benchmarks.
//! Each takes a size, makes its own input from it, and returns a part of the result, so
//! that the compiler can remove no work.

mod input;
mod kernels;

/// Sorts this many numbers.
#[unsafe(export_name = "sort")]
extern "C" fn sort(count: u32) -> u32 {
    kernels::sort(count)
}

/// Computes SHA-256 of this many bytes.
#[unsafe(export_name = "sha256")]
extern "C" fn sha256(bytes: u32) -> u32 {
    kernels::sha256(bytes)
}

/// Parses JSON with this many records.
#[unsafe(export_name = "json")]
extern "C" fn json(records: u32) -> u32 {
    kernels::json(records)
}

/// Multiplies two square matrices with this many rows.
#[unsafe(export_name = "matrix")]
extern "C" fn matrix(rows: u32) -> u32 {
    kernels::matrix(rows)
}

//! A core module of four kernels that only compute, for the host's benchmarks.
//! Each takes a size, makes its own input from it, and returns a word of the
//! result, so that nothing can be left out.

mod input;
mod kernels;

/// Sorts so many numbers.
#[unsafe(export_name = "sort")]
extern "C" fn sort(count: u32) -> u32 {
    kernels::sort(count)
}

/// SHA-256 of so many bytes.
#[unsafe(export_name = "sha256")]
extern "C" fn sha256(bytes: u32) -> u32 {
    kernels::sha256(bytes)
}

/// Parses JSON of so many records.
#[unsafe(export_name = "json")]
extern "C" fn json(records: u32) -> u32 {
    kernels::json(records)
}

/// The product of two square matrices of so many rows.
#[unsafe(export_name = "matrix")]
extern "C" fn matrix(rows: u32) -> u32 {
    kernels::matrix(rows)
}

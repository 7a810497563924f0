//! Compiles the wire contract in `proto/` with a compiler written in Rust, so a build
//! needs no installed `protoc`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    // Read at run time, so that the build works after the checkout has been moved.
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let files = ["spearlet/function.proto", "pilum/v1/host.proto"];
    println!("cargo::rerun-if-changed={}", root.display());

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // The reflection service serves this, including the comments.
    std::fs::write(out.join("descriptor.bin"), compiler.encode_file_descriptor_set())?;
    // Ordered maps, so that equal messages have equal bytes.
    tonic_prost_build::configure().btree_map(".").compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

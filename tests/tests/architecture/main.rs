//! The repository's own rules about its shape, checked on its manifests,
//! documents, folders and source text.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod code;
mod crates;
mod documents;
mod guests;
mod import_cycles;
mod imports;
mod litter;
mod paths;
mod sizes;
mod tree;
mod type_table;

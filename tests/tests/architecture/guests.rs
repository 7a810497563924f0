//! Every guest that is built is also used.

use crate::tree::{assert_none, files_with_extension, read, root};
use std::fs;

/// Fewer guests than this mean that `make guests` did not finish.
const GUESTS_MIN: usize = 10;

/// A test or a benchmark names each artifact that the guests' build makes.
#[test]
fn every_guest_is_used() {
    let out = root().join("guest-examples/out");
    let guests = fs::read_dir(&out).unwrap_or_else(|_| panic!("there are no guests; run `make guests`"));
    let uses: String = [("tests", "rs"), ("tests", "py"), ("benches", "rs")]
        .iter()
        .flat_map(|(folder, extension)| files_with_extension(&root().join(folder), extension))
        .map(|path| read(&path))
        .collect();
    let names = guests.map(|guest| guest.unwrap().file_name().into_string().unwrap());
    let guests: Vec<_> = names.filter(|name| name.ends_with(".wasm")).collect();
    let unused: Vec<_> = guests.iter().filter(|name| !uses.contains(*name)).cloned().collect();
    assert_none(&unused, "use these guests in a test or a benchmark, or delete them:");
    assert!(guests.len() > GUESTS_MIN, "only {} guests were built; run `make guests`", guests.len());
}

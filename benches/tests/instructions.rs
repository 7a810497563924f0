//! A call takes at most as many instructions as RESULTS.md says.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::process::Command;

/// How many instructions more than written a call may take, in percent.
const GROWTH_MAX_PERCENT: u64 = 5;
/// The beginning of the file's line with the figures of this profile.
const ROW: &str = "| as tests are built |";

#[test]
fn a_call_takes_at_most_the_written_number_of_instructions() {
    let results = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md"))
        .expect("RESULTS.md can be read");
    let row = results
        .lines()
        .find_map(|line| line.strip_prefix(ROW))
        .expect("RESULTS.md has a row for the test profile");
    let written: Vec<u64> =
        row.split('|').filter_map(|cell| cell.trim().replace(',', "").parse().ok()).collect();

    let counted = Command::new(env!("CARGO_BIN_EXE_pilum-bench"))
        .arg("instructions")
        .output()
        .expect("pilum-bench starts");
    let text = String::from_utf8_lossy(&counted.stdout);
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stderr));
    let counted: Vec<(&str, u64)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(kind, count)| (kind, count.parse().expect("a number")))
        .collect();

    assert_eq!(written.len(), counted.len(), "{row:?} and {counted:?}");
    for ((kind, counted), written) in counted.into_iter().zip(written) {
        assert!(
            counted <= written + written * GROWTH_MAX_PERCENT / 100,
            "a call of the {kind} function takes {counted} instructions, RESULTS.md says {written}; \
             if the change is worth this cost, write {counted} there"
        );
    }
}

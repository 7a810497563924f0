//! A call takes no more instructions than RESULTS.md says.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::process::Command;

/// How much more a call may take before the file must say so, in percent.
const GROWTH_MAX_PERCENT: u64 = 5;
/// What stands in the file before the figures of this profile.
const ROW: &str = "| as tests are built |";

#[test]
fn a_call_takes_as_many_instructions_as_written() {
    let results =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md")).expect("results");
    let row = results.lines().find_map(|line| line.strip_prefix(ROW)).expect("a row of the test profile");
    let written: Vec<u64> =
        row.split('|').filter_map(|cell| cell.trim().replace(',', "").parse().ok()).collect();

    let counted = Command::new(env!("CARGO_BIN_EXE_pilum-bench")).arg("instructions").output().expect("runs");
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
             if it is worth that, write {counted} there"
        );
    }
}

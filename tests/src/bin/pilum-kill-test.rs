//! The kill test with any number of hosts: `pilum-kill-test [CYCLES] [SEED]`.

use anyhow::{Context, Result, ensure};

/// Hosts that are killed, unless an argument says otherwise.
const CYCLES: u64 = 200;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "this program's output")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| match arguments.next() {
        Some(text) => text.parse().with_context(|| format!("{text:?} is not a number")),
        None => Ok(default),
    };
    let (cycles, seed) = (number(CYCLES)?, number(1)?);
    let found = pilum_tests::kill::run(cycles, seed).await?;
    println!("{found:#?}");
    ensure!(found.is_good(), "a promise was broken");
    Ok(())
}

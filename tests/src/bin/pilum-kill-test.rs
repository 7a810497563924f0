//! The kill test for as long as somebody likes: `pilum-kill-test [CYCLES] [SEED]`.

use anyhow::{Context, Result, ensure};

const CYCLES: u64 = 200;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "this program's output")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| match arguments.next() {
        Some(text) => text.parse().with_context(|| format!("{text:?} is no number")),
        None => Ok(default),
    };
    let (cycles, seed) = (number(CYCLES)?, number(1)?);
    let found = pilum_tests::kill::run(cycles, seed).await?;
    println!("{found:#?}");
    ensure!(found.is_good(), "a promise was broken");
    Ok(())
}

//! Calls a command and prints its output while the command writes it.
//!
//! Build the guests with `make guests`, start a host with `pilum serve`, then run
//!
//! ```sh
//! cargo run -p pilum-client --example stream -- guest-examples/out/stream-cases.wasm
//! ```
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use pilum_client::{Call, Chunk, Client, NewTask, Target};
use pilum_types::{FunctionName, Output, Parameter, TaskName, Value};
use std::error::Error;

/// Where `pilum serve` listens for gRPC unless it is configured otherwise.
const ENDPOINT: &str = "http://127.0.0.1:50052";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("give the path of stream-cases.wasm")?;
    let client = Client::connect(ENDPOINT).await?;

    let source = client.upload(std::fs::read(file)?.into(), |_sent_bytes| {}).await?;
    let task = NewTask::new(TaskName::parse("example-stream")?, source);
    // Five lines, one each second.
    let parameter = |name: &str, number| Parameter {
        name: name.into(),
        type_name: String::new(),
        value: Value::Unsigned(number),
    };
    let call = Call::new(Target::New(task), FunctionName::parse("lines")?)
        .parameters(vec![parameter("count", 5), parameter("pause_ms", 1_000)]);

    let mut chunks = client.stream(call).await?;
    while let Some(chunk) = chunks.next().await? {
        match chunk {
            Chunk::Output(Output::Raw(bytes)) => print!("{}", String::from_utf8_lossy(&bytes)),
            Chunk::Output(other) => println!("{other:?}"),
            Chunk::End { state, error_message, .. } => println!("{state:?} {error_message}"),
        }
    }
    Ok(())
}
